# Rebuild the component store, then the system files from it; what they print is localised, so their exit codes speak. CheckHealth
# reads a flag that an operation has left which met damage; it examines nothing. Before the rebuilding it says whether damage was
# known, and after it, whether some is left, since RestoreHealth examines the whole store.
# https://learn.microsoft.com/troubleshoot/windows-server/installing-updates-features-roles/fix-windows-update-errors
# https://learn.microsoft.com/windows-hardware/manufacture/desktop/repair-a-windows-image
Invoke-PatchFleetScript -Name 'repair_components' -Work {
    # Where DISM may get files from that it has to replace.
    function Get-RepairPolicy {
        $key = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Servicing'
        foreach ($name in 'LocalSourcePath', 'RepairContentServerSource', 'UseWindowsUpdate') {
            $value = Get-PatchFleetRegistryValue $key $name
            if ($null -ne $value) { '{0}={1}' -f $name, $value }
        }
    }

    $before = [string] (Repair-WindowsImage -Online -CheckHealth).ImageHealthState
    $null = & "$env:SystemRoot\System32\Dism.exe" '/Online' '/Cleanup-Image' '/RestoreHealth' '/Quiet' '/NoRestart'
    # 3010: done, and a reboot will finish it; the installation that follows reboots anyway.
    if ($LASTEXITCODE -ne 0 -and $LASTEXITCODE -ne 3010) {
        $message = 'The component store could not be rebuilt: Dism /RestoreHealth ended with {0}.' -f $LASTEXITCODE
        $policies = @(Get-RepairPolicy)
        if ($policies) { $message += ' Policies for its source: ' + ($policies -join ', ') + '.' }
        throw (New-PatchFleetError 'restore_health_failed' $message $LASTEXITCODE)
    }
    $after = [string] (Repair-WindowsImage -Online -CheckHealth).ImageHealthState
    $null = & "$env:SystemRoot\System32\sfc.exe" '/scannow'
    $restored = 'not_known'
    if ($before -ne 'Healthy') { $restored = 'repaired' }
    if ($after -ne 'Healthy') { $restored = 'still_damaged' }
    return @{ restore_health = $restored; system_files = $LASTEXITCODE }
}
