# When this host started, how often since a moment (UTC) by its own event log, and which services run that it starts by itself.
Invoke-PatchFleetScript -Name 'inspect_boot' -Work {
    param($Parameters)
    function Get-Iso { param([datetime] $Moment) return $Moment.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ') }

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

    # A service with triggers is started and ended by Windows as it is needed.
    $services = @(Get-CimInstance -ClassName 'Win32_Service' -Filter "StartMode = 'Auto' and State = 'Running'" |
        Select-Object -ExpandProperty Name |
        Where-Object { -not (Test-Path -LiteralPath "HKLM:\SYSTEM\CurrentControlSet\Services\$_\TriggerInfo") } |
        Select-Object -First 250)
    return @{
        boot_time = Get-Iso (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime
        time = Get-Iso (Get-Date)
        boots = $boots
        services = $services
    }
}
