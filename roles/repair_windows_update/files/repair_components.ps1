# Rebuild the component store, then the system files from it; what they print is localised, so their exit codes speak.
# https://learn.microsoft.com/troubleshoot/windows-server/installing-updates-features-roles/fix-windows-update-errors
Invoke-PatchFleetScript -Name 'repair_components' -Work {
    $before = [string] (Repair-WindowsImage -Online -CheckHealth).ImageHealthState
    $null = & "$env:SystemRoot\System32\Dism.exe" '/Online' '/Cleanup-Image' '/RestoreHealth' '/Quiet' '/NoRestart'
    # 3010: done, and a reboot will finish it; the installation that follows reboots anyway.
    if ($LASTEXITCODE -ne 0 -and $LASTEXITCODE -ne 3010) {
        $message = 'The component store could not be rebuilt: Dism /RestoreHealth ended with {0}.' -f $LASTEXITCODE
        throw (New-PatchFleetError 'restore_health_failed' $message $LASTEXITCODE)
    }
    $null = & "$env:SystemRoot\System32\sfc.exe" '/scannow'
    $restored = 'repaired'
    if ($before -eq 'Healthy') { $restored = 'healthy' }
    return @{ restore_health = $restored; system_files = $LASTEXITCODE }
}
