# Give services back the start types that they had: services is a list of name, start_type and status (as repair_services found
# them). What was stopped and disabled is stopped again, where it stops in time. A start type that another user has changed
# meanwhile (it is not expected_start_type any more) is left alone.
Invoke-PatchFleetScript -Name 'restore_services' -Work {
    param($Parameters)
    $known = 'wuauserv', 'bits', 'cryptsvc', 'trustedinstaller', 'wlidsvc'
    $types = @{ automatic = 'Automatic'; manual = 'Manual'; disabled = 'Disabled' }
    $restored = @(foreach ($service in @($Parameters.services)) {
        $name = [string] $service.name
        if ($known -notcontains $name) { throw (New-PatchFleetError 'unknown_service' "$name is no service of Windows Update.") }
        if (-not $types.ContainsKey([string] $service.start_type)) {
            throw (New-PatchFleetError 'unknown_start_type' "$($service.start_type) is no start type.")
        }
        $now = Get-PatchFleetService $name
        $changed = $service.expected_start_type -and $now.start_type -ne $service.expected_start_type
        $trouble = $null
        if (-not $changed -and $now.start_type -ne $service.start_type) {
            Set-Service -Name $name -StartupType $types[[string] $service.start_type]
        }
        if (-not $changed -and $service.start_type -eq 'disabled' -and $service.status -eq 'stopped') {
            try { Stop-PatchFleetService -Name $name } catch { $trouble = (Get-PatchFleetRootCause $_.Exception).Message }
        }
        $after = Get-PatchFleetService $name
        @{ name = $name; start_type = $after.start_type; status = $after.status; changed_by_others = [bool] $changed; trouble = $trouble }
    })
    return @{ restored = $restored }
}
