# Make room with Windows' own means, each measured: component store, downloaded updates, temporary files, and what an upgrade of
# Windows left behind. A rung that fails or has to be left out says so, and the others go on.
Invoke-PatchFleetScript -Name 'clean_disk' -Work {
    param($Parameters)

    function Get-FreeGib { return (Get-Volume -DriveLetter $env:SystemDrive.Substring(0, 1)).SizeRemaining / 1GB }

    # What a rung returns as text is the reason why it was left out.
    function Invoke-Rung {
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

    function Remove-OldItem {
        param([string] $Folder, [datetime] $OlderThan)
        if (-not (Test-Path -LiteralPath $Folder)) { return }
        # Files in use stay; that is no error.
        Get-ChildItem -LiteralPath $Folder -Force -ErrorAction SilentlyContinue |
            Where-Object { $_.LastWriteTime -lt $OlderThan } |
            Remove-Item -Recurse -Force -ErrorAction SilentlyContinue
    }

    # An installation needs its downloads and the component store.
    function Test-Installing {
        try { return [bool] (New-Object -ComObject 'Microsoft.Update.Installer').IsBusy } catch { return $false }
    }

    $free = Get-FreeGib
    $rungs = @()
    $rungs += Invoke-Rung 'component_store' {
        if (Test-Path -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending') {
            return 'reboot_pending'
        }
        if (Test-Installing) { return 'installation_running' }
        $dismArguments = @('/Online', '/English', '/Quiet', '/NoRestart', '/Cleanup-Image', '/StartComponentCleanup')
        if ($Parameters.reset_base) { $dismArguments += '/ResetBase' }
        $null = & "$env:SystemRoot\System32\Dism.exe" $dismArguments
        if ($LASTEXITCODE -ne 0) { return ('dism_exit_code_' + $LASTEXITCODE) }
    }
    $rungs += Invoke-Rung 'update_cache' {
        if (Test-Installing) { return 'installation_running' }
        # As Microsoft clears the cache by hand: both services hold files in it. Each is started again if it ran.
        $running = @('wuauserv', 'bits' | Where-Object { [string] (Get-Service -Name $_).Status -eq 'Running' })
        $lacking = @()
        try {
            foreach ($name in $running) { Stop-Service -Name $name -Force }
            Remove-OldItem -Folder "$env:SystemRoot\SoftwareDistribution\Download" -OlderThan (Get-Date)
        } finally {
            foreach ($name in $running) {
                try { Start-Service -Name $name } catch { $lacking += $name }
            }
        }
        if ($lacking.Count -gt 0) { return ('failed: not started again: ' + ($lacking -join ', ')) }
    }
    $rungs += Invoke-Rung 'temp_files' {
        $limit = (Get-Date).AddDays(-[int] $Parameters.temp_age_days)
        Remove-OldItem -Folder "$env:SystemRoot\Temp" -OlderThan $limit
        Get-ChildItem -LiteralPath "$env:SystemDrive\Users" -Directory -Force -ErrorAction SilentlyContinue |
            ForEach-Object { Remove-OldItem -Folder (Join-Path $_.FullName 'AppData\Local\Temp') -OlderThan $limit }
    }
    $rungs += Invoke-Rung 'old_windows' {
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
    return @{
        free_gib_before = [Math]::Round($free, 3)
        free_gib_after = [Math]::Round((Get-FreeGib), 3)
        rungs = @($rungs)
    }
}
