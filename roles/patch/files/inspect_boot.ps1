# When this host started, how often since a moment (UTC) by its own event log, and what became of the services that it starts by
# itself: services run, services_not_running do not, each with its exit code (1077: not started since the boot).
Invoke-PatchFleetScript -Name 'inspect_boot' -Work {
    param($Parameters)
    function Get-Iso { param([datetime] $Moment) return $Moment.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ') }

    # Those that come and go for a reason: a service with triggers is started and ended by Windows as it is needed, one of a session
    # (0x80 in its type, SERVICE_USERSERVICE_INSTANCE) lives as long as that, and these two make themselves automatic while they
    # have work to go on with after a restart.
    # https://learn.microsoft.com/windows/application-management/per-user-services-in-windows
    function Test-Lasting {
        param([string] $Name)
        if ('TrustedInstaller', 'BITS' -contains $Name) { return $false }
        $key = "HKLM:\SYSTEM\CurrentControlSet\Services\$Name"
        if (Test-Path -LiteralPath "$key\TriggerInfo") { return $false }
        return -not ([int] (Get-PatchFleetRegistryValue $key 'Type') -band 0x80)
    }

    $boots = $null
    if ($Parameters.since) {
        $culture = [System.Globalization.CultureInfo]::InvariantCulture
        $since = [datetime]::Parse([string] $Parameters.since, $culture).ToLocalTime()
        # Kernel-General 12: the operating system started. No event of that kind is an error of Get-WinEvent's, known by its id.
        $filter = @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-Kernel-General'; Id = 12; StartTime = $since }
        try {
            $boots = @(Get-WinEvent -FilterHashtable $filter | ForEach-Object { Get-Iso $_.TimeCreated })
        } catch {
            if ($_.FullyQualifiedErrorId -like 'NoMatchingEventsFound*') { $boots = @() }
        }
    }

    $automatic = @(Get-CimInstance -ClassName 'Win32_Service' -Filter "StartMode = 'Auto'" | Where-Object { Test-Lasting $_.Name })
    $services = @($automatic | Where-Object { $_.State -eq 'Running' } | Select-Object -ExpandProperty Name -First 250)
    # An end in order is no fault: updaters start at each boot and end when there is nothing to do.
    $lacking = @($automatic | Where-Object { $_.State -ne 'Running' -and -not ($_.State -eq 'Stopped' -and $_.ExitCode -eq 0) } |
        Select-Object -First 50 | ForEach-Object {
            $code = [long] $_.ExitCode
            if ($code -eq 1066) { $code = [long] $_.ServiceSpecificExitCode }  # ERROR_SERVICE_SPECIFIC_ERROR
            @{ name = $_.Name; state = ([string] $_.State).ToLowerInvariant().Replace(' ', '_'); exit_code = $code }
        })
    return @{
        boot_time = Get-Iso (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime
        time = Get-Iso (Get-Date)
        boots = $boots
        services = $services
        services_not_running = $lacking
    }
}
