# Make room with Windows' own means, each measured, from what is surely rubbish to what takes long: logs, downloaded updates,
# temporary files, what an upgrade of Windows left behind, the component store. An action that fails or has to be left out says so in
# skipped, and the others continue.
Invoke-PatchFleetScript -Name 'clean_disk' -Work {
    param($Parameters)

    function Get-FreeGib {
        return (Get-CimInstance -ClassName 'Win32_LogicalDisk' -Filter "DeviceID = '$env:SystemDrive'").FreeSpace / 1GB
    }

    # What an action returns as text is the reason why it was left out.
    function Invoke-CleanupAction {
        param([string] $Name, [scriptblock] $Clean)
        $before = Get-FreeGib
        try {
            $skipped = @(& $Clean) | Where-Object { $_ -is [string] } | Select-Object -Last 1
        } catch {
            $message = (Get-PatchFleetRootCause $_.Exception).Message
            $skipped = 'failed: ' + $message.Substring(0, [Math]::Min($message.Length, 200))
        }
        return @{ name = $Name; won_gib = [Math]::Round([Math]::Max((Get-FreeGib) - $before, 0.0), 3); skipped = $skipped }
    }

    function Get-Value {
        param([string] $Name, $Default)
        if ($null -eq $Parameters.$Name) { return $Default }
        return $Parameters.$Name
    }

    # Why nothing may be cleaned that an installation needs, null where it may.
    function Get-Obstacle {
        $servicing = Get-PatchFleetServicing
        if ($servicing.pending_reboot.Count -gt 0 -or $servicing.servicing -eq 1) { return 'reboot_pending' }
        if ($servicing.installing) { return 'installation_running' }
        if ($null -eq $servicing.installing) { return 'unknown' }
        return $null
    }

    function Get-TreeFile {
        param([string] $Folder)
        foreach ($item in @(Get-ChildItem -LiteralPath $Folder -Force -ErrorAction SilentlyContinue)) {
            if ($item.Attributes -band [System.IO.FileAttributes]::ReparsePoint) { continue }
            if ($item.PSIsContainer) { Get-TreeFile -Folder $item.FullName } else { $item }
        }
    }

    # The time stamp of a folder shows nothing of what is in it, and a program misses a folder that is gone. So files go, not
    # folders; only where everything under the same first folder is old; and never what belongs to a session (its number).
    # https://learn.microsoft.com/windows/win32/termserv/configuring-temporary-folders
    function Remove-OldTempFile {
        param([string] $Folder, [datetime] $OlderThan)
        if (-not (Test-Path -LiteralPath $Folder)) { return }
        foreach ($top in @(Get-ChildItem -LiteralPath $Folder -Force -ErrorAction SilentlyContinue)) {
            if ($top.Attributes -band [System.IO.FileAttributes]::ReparsePoint) { continue }
            $files = @($top)
            if ($top.PSIsContainer) {
                if ($top.Name -match '^\d+$') { continue }
                $files = @(Get-TreeFile -Folder $top.FullName)
            }
            $young = @($files | Where-Object { $_.LastWriteTime -ge $OlderThan -or $_.CreationTime -ge $OlderThan })
            if ($young.Count -gt 0) { continue }
            foreach ($file in $files) { Remove-Item -LiteralPath $file.FullName -Force -ErrorAction SilentlyContinue }
        }
    }

    # Nor is anything deleted that has been made since Windows started: programs that run now may use it.
    function Get-OldestKept {
        param([string] $Parameter = 'temp_age_days', [int] $DefaultDays = 14)
        $limit = (Get-Date).AddDays(-[Math]::Max([int] (Get-Value $Parameter $DefaultDays), 7))
        $booted = (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime
        if ($booted -lt $limit) { return $booted }
        return $limit
    }

    $free = Get-FreeGib
    $rungs = @()
    $rungs += Invoke-CleanupAction 'windows_logs' {
        # What the servicing stack has put aside, and reports of errors that were never sent.
        $limit = Get-OldestKept
        $logs = @(Get-ChildItem -Path "$env:SystemRoot\Logs\CBS\CbsPersist*" -Force -ErrorAction SilentlyContinue)
        $logs += @(Get-TreeFile -Folder "$env:ProgramData\Microsoft\Windows\WER\ReportQueue")
        foreach ($file in $logs) {
            if ($file.LastWriteTime -lt $limit) { Remove-Item -LiteralPath $file.FullName -Force -ErrorAction SilentlyContinue }
        }
    }
    $rungs += Invoke-CleanupAction 'update_cache' {
        $obstacle = Get-Obstacle
        if ($obstacle) { return $obstacle }
        # As Microsoft clears the cache by hand: both services hold files in it. Each is started again if it ran.
        $running = @('wuauserv', 'bits' | Where-Object { [string] (Get-Service -Name $_).Status -eq 'Running' })
        $lacking = @()
        try {
            foreach ($name in $running) { Stop-PatchFleetService -Name $name }
            Get-ChildItem -LiteralPath "$env:SystemRoot\SoftwareDistribution\Download" -Force -ErrorAction SilentlyContinue |
                Remove-Item -Recurse -Force -ErrorAction SilentlyContinue
        } finally {
            foreach ($name in $running) {
                try { Start-PatchFleetService -Name $name } catch { $lacking += $name }
            }
        }
        if ($lacking.Count -gt 0) { return ('failed: not started again: ' + ($lacking -join ', ')) }
    }
    $rungs += Invoke-CleanupAction 'temp_files' {
        # Installers leave there what they go on with after the reboot.
        if ((Get-PatchFleetServicing).pending_reboot.Count -gt 0) { return 'reboot_pending' }
        $limit = Get-OldestKept
        Remove-OldTempFile -Folder "$env:SystemRoot\Temp" -OlderThan $limit
        if (-not (Get-Value 'user_temp' $false)) { return }
        # A profile is loaded while its user is logged on, or a service or task of theirs runs.
        # https://learn.microsoft.com/previous-versions/windows/desktop/legacy/ee886409(v=vs.85)
        $loaded = @(Get-CimInstance -ClassName 'Win32_UserProfile' | Where-Object { $_.Loaded } | Select-Object -ExpandProperty 'LocalPath')
        $limit = Get-OldestKept -Parameter 'user_temp_age_days' -DefaultDays 30
        foreach ($owner in @(Get-ChildItem -LiteralPath "$env:SystemDrive\Users" -Directory -Force -ErrorAction SilentlyContinue)) {
            if ($owner.Attributes -band [System.IO.FileAttributes]::ReparsePoint -or $loaded -contains $owner.FullName) { continue }
            Remove-OldTempFile -Folder (Join-Path $owner.FullName 'AppData\Local\Temp') -OlderThan $limit
        }
    }
    $rungs += Invoke-CleanupAction 'old_windows' {
        # The way back from an upgrade. Windows itself removes it 10 days later, by the command of its task SilentCleanup.
        $folders = @('Windows.old', '$Windows.~BT', '$Windows.~WS' | ForEach-Object { "$env:SystemDrive\$_" } |
            Where-Object { Test-Path -LiteralPath $_ })
        if ($folders.Count -eq 0) { return }
        if (-not $Parameters.old_windows) { return 'not_asked_for' }
        $limit = (Get-Date).AddDays(-10)
        foreach ($folder in $folders) {
            if ((Get-Item -LiteralPath $folder -Force).CreationTime -gt $limit) { return 'younger_than_10_days' }
        }
        $tool = "$env:SystemRoot\System32\cleanmgr.exe"
        if (-not (Test-Path -LiteralPath $tool)) { return 'no_disk_cleanup' }
        $process = Start-Process -FilePath $tool -ArgumentList '/autoclean', '/d', $env:SystemDrive -PassThru
        if (-not $process.WaitForExit(1200000)) { return 'disk_cleanup_still_running' }
    }
    $rungs += Invoke-CleanupAction 'component_store' {
        $obstacle = Get-Obstacle
        if ($obstacle) { return $obstacle }
        $dismArguments = @('/Online', '/English', '/Quiet', '/NoRestart', '/Cleanup-Image', '/StartComponentCleanup')
        if ($Parameters.reset_base) { $dismArguments += '/ResetBase' }
        # It may take hours and continues by itself. In a window of its own, it holds no output that the SSM agent waits for.
        $tool = "$env:SystemRoot\System32\Dism.exe"
        $process = Start-Process -FilePath $tool -ArgumentList $dismArguments -WindowStyle Hidden -PassThru
        $null = $process.Handle  # or Windows PowerShell forgets the exit code
        $seconds = [int] (Get-Value 'component_store_seconds' 3600)
        if (-not $process.WaitForExit(1000 * $seconds)) { return 'still_running' }
        # 3010: done, and a reboot will finish it.
        if ($process.ExitCode -ne 0 -and $process.ExitCode -ne 3010) { return ('dism_exit_code_' + $process.ExitCode) }
    }
    return @{
        free_gib_before = [Math]::Round($free, 3)
        free_gib_after = [Math]::Round((Get-FreeGib), 3)
        rungs = @($rungs)
    }
}
