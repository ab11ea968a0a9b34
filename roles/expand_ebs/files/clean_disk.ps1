# Make room with Windows' own means, each measured: component store, downloaded updates, temporary files.
Invoke-PatchFleetScript -Name 'clean_disk' -Work {
    param($Parameters)

    function Get-FreeGib { return (Get-Volume -DriveLetter $env:SystemDrive.Substring(0, 1)).SizeRemaining / 1GB }

    function Invoke-Rung {
        param([string] $Name, [scriptblock] $Clean)
        $before = Get-FreeGib
        $skipped = & $Clean
        if (-not ($skipped -is [string])) { $skipped = $null }
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

    $free = Get-FreeGib
    $rungs = @()
    $rungs += Invoke-Rung 'component_store' {
        if (Test-Path -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending') {
            return 'reboot_pending'
        }
        $dismArguments = @('/Online', '/English', '/Quiet', '/NoRestart', '/Cleanup-Image', '/StartComponentCleanup')
        if ($Parameters.reset_base) { $dismArguments += '/ResetBase' }
        $null = & "$env:SystemRoot\System32\Dism.exe" $dismArguments
        if ($LASTEXITCODE -ne 0) { return ('dism_exit_code_' + $LASTEXITCODE) }
    }
    $rungs += Invoke-Rung 'update_cache' {
        $service = Get-Service -Name 'wuauserv'
        $wasRunning = [string] $service.Status -eq 'Running'
        if ($wasRunning) { Stop-Service -Name 'wuauserv' -Force }
        try {
            Remove-OldItem -Folder "$env:SystemRoot\SoftwareDistribution\Download" -OlderThan (Get-Date)
        } finally {
            if ($wasRunning) { Start-Service -Name 'wuauserv' }
        }
    }
    $rungs += Invoke-Rung 'temp_files' {
        $limit = (Get-Date).AddDays(-[int] $Parameters.temp_age_days)
        Remove-OldItem -Folder "$env:SystemRoot\Temp" -OlderThan $limit
        Get-ChildItem -LiteralPath "$env:SystemDrive\Users" -Directory -Force -ErrorAction SilentlyContinue |
            ForEach-Object { Remove-OldItem -Folder (Join-Path $_.FullName 'AppData\Local\Temp') -OlderThan $limit }
    }
    return @{
        free_gib_before = [Math]::Round($free, 3)
        free_gib_after = [Math]::Round((Get-FreeGib), 3)
        rungs = @($rungs)
    }
}
