# Make the named services usable: what is disabled gets Windows' own start type again, what is stopped is started once. The answer
# says how each was, for restore_services.
Invoke-PatchFleetScript -Name 'repair_services' -Work {
    param($Parameters)
    $defaults = @{ wuauserv = 'Manual'; bits = 'Manual'; cryptsvc = 'Automatic'; trustedinstaller = 'Manual'; wlidsvc = 'Manual' }
    # It has to start by itself after the restart that a transaction waits for; at Manual the transaction would wait for ever.
    # https://learn.microsoft.com/troubleshoot/windows-server/installing-updates-features-roles/common-windows-update-errors
    if ((Get-PatchFleetServicing).pending_reboot -contains 'component_based_servicing') { $defaults.trustedinstaller = 'Automatic' }

    $repaired = @(foreach ($name in @($Parameters.services)) {
        if (-not $defaults.ContainsKey($name)) { throw (New-PatchFleetError 'unknown_service' "$name is no service of Windows Update.") }
        $before = Get-PatchFleetService $name
        if ($before.start_type -eq 'disabled') { Set-Service -Name $name -StartupType $defaults[$name] }
        Start-PatchFleetService -Name $name
        $after = Get-PatchFleetService $name
        @{
            name = $name
            was_start_type = $before.start_type
            was_status = $before.status
            start_type = $after.start_type
            status = $after.status
        }
    })
    return @{ repaired = $repaired }
}
