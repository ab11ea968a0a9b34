# Make the named services usable: what is disabled gets Windows' own start type again, what is stopped is started once.
Invoke-PatchFleetScript -Name 'repair_services' -Work {
    param($Parameters)
    $defaults = @{ wuauserv = 'Manual'; bits = 'Manual'; cryptsvc = 'Automatic'; trustedinstaller = 'Manual' }
    $numbers = @{ 2 = 'automatic'; 3 = 'manual'; 4 = 'disabled' }

    function Get-State {
        param([string] $Name)
        $number = [int] (Get-ItemProperty -LiteralPath "HKLM:\SYSTEM\CurrentControlSet\Services\$Name" -Name 'Start').Start
        return @{ start_type = $numbers[$number]; status = ([string] (Get-Service -Name $Name).Status).ToLowerInvariant() }
    }

    $repaired = @(foreach ($name in @($Parameters.services)) {
        if (-not $defaults.ContainsKey($name)) { throw (New-PatchFleetError 'unknown_service' "$name is no service of Windows Update.") }
        $before = Get-State $name
        if ($before.start_type -eq 'disabled') { Set-Service -Name $name -StartupType $defaults[$name] }
        if ($before.status -ne 'running') { Start-Service -Name $name }
        $after = Get-State $name
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
