# What Windows Update looks like in this host: services, agent, pending reboot, update source, a search, people, installations.
# With search = false nothing is searched, and the answer's search is the agent's. installing is null where it cannot be known;
# servicing is the servicing stack's own word (1 waits for a reboot, 2 works); time is the host's own clock.
Invoke-PatchFleetScript -Name 'inspect_windows_update' -Work {
    param($Parameters)

    function Get-Answer {
        param([scriptblock] $Question)
        try {
            $null = & $Question
            return @{ ok = $true; hresult = $null; message = $null }
        } catch {
            $cause = Get-PatchFleetRootCause $_.Exception
            return @{ ok = $false; hresult = (ConvertTo-PatchFleetHResult $cause.HResult); message = $cause.Message }
        }
    }

    function Get-Proxy {
        # WinHTTP keeps it as bytes: the length of the name lies at 12, the name behind it (what netsh winhttp set proxy writes).
        $key = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
        if (-not (Test-Path -LiteralPath $key)) { return $null }
        $settings = Get-ItemProperty -LiteralPath $key
        if (-not $settings.PSObject.Properties['WinHttpSettings']) { return $null }
        $bytes = [byte[]] $settings.WinHttpSettings
        if ($bytes.Length -lt 16) { return $null }
        $length = [BitConverter]::ToInt32($bytes, 12)
        if ($length -le 0 -or $bytes.Length -lt 16 + $length) { return $null }
        return [System.Text.Encoding]::ASCII.GetString($bytes, 16, $length)
    }

    # Where updates come from, and the policies that are set about it.
    # https://learn.microsoft.com/windows/deployment/update/wufb-wsus
    function Get-UpdateSource {
        $root = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
        $names = 'AUOptions', 'DeferQualityUpdates', 'DeferQualityUpdatesPeriodInDays', 'DisableWindowsUpdateAccess',
            'DoNotConnectToWindowsUpdateInternetLocations', 'NoAutoUpdate', 'PauseQualityUpdates', 'PauseQualityUpdatesStartTime',
            'ProductVersion', 'SetPolicyDrivenUpdateSourceForQualityUpdates', 'TargetReleaseVersion', 'TargetReleaseVersionInfo',
            'UseUpdateClassPolicySource', 'UseWUServer'
        $set = @{}
        $url = $null
        foreach ($key in $root, "$root\AU") {
            if (-not (Test-Path -LiteralPath $key)) { continue }
            $values = (Get-ItemProperty -LiteralPath $key).PSObject.Properties
            foreach ($name in $names) { if ($values[$name]) { $set[$name] = [string] $values[$name].Value } }
            if ($values['WUServer']) { $url = [string] $values['WUServer'].Value }
        }
        $source = @{ kind = 'microsoft'; url = $null; proxy = Get-Proxy; policies = @() }
        $byClass = $set.UseUpdateClassPolicySource -eq '1' -and $set.SetPolicyDrivenUpdateSourceForQualityUpdates -eq '0'
        if ($set.UseWUServer -eq '1' -and -not $byClass) {
            $source.kind = 'wsus'
            $source.url = $url
            if (Get-Service -Name 'CcmExec' -ErrorAction SilentlyContinue) { $source.kind = 'configmgr' }
        }
        $source.policies = @(foreach ($name in $names) { if ($set[$name]) { @{ name = $name; value = $set[$name] } } })
        return $source
    }

    # The services that a Group Policy disables, as its last refresh has left word; a host without a domain has no such record.
    # https://learn.microsoft.com/previous-versions/aa375076(v=vs.85)
    function Get-ServiceOfPolicy {
        $ours = 'wuauserv', 'bits', 'cryptsvc', 'trustedinstaller', 'wlidsvc'
        try {
            $rows = @(Get-CimInstance -Namespace 'root\rsop\computer' -ClassName 'RSOP_SystemService')
        } catch {
            return
        }
        foreach ($row in $rows) {
            $name = ([string] $row.Service).ToLowerInvariant()
            if ($row.precedence -eq 1 -and $row.StartupMode -eq 4 -and $ours -contains $name) { $name }
        }
    }

    $services = @(foreach ($name in 'wuauserv', 'bits', 'cryptsvc', 'trustedinstaller') {
        $service = Get-PatchFleetService $name
        @{ name = $name; start_type = $service.start_type; status = $service.status }
    })
    # Before the search, which wakes what installs.
    $servicing = Get-PatchFleetServicing
    # Half of all programs that update themselves leave renames, and work without the reboot: it is reported beside what decides.
    $pending = @($servicing.pending_reboot)
    if (Get-PatchFleetRegistryValue 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager' 'PendingFileRenameOperations') {
        $pending += 'file_rename'
    }
    # A question makes Windows start the service on demand; a service state would say nothing.
    $agent = Get-Answer { (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher().GetTotalHistoryCount() }
    $search = $agent
    if ($agent.ok -and $false -ne $Parameters.search) {
        # Neither drivers nor what is optional: no run installs them, and searching for them takes long.
        $search = Get-Answer {
            (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher().Search(
                "IsInstalled=0 and IsHidden=0 and Type='Software' and BrowseOnly=0")
        }
    }
    return @{
        services = $services
        services_of_policy = @(Get-ServiceOfPolicy)
        agent = $agent
        pending_reboot = @($pending)
        update_source = Get-UpdateSource
        search = $search
        sessions = @(Get-PatchFleetSession).Count
        installing = $servicing.installing
        servicing = $servicing.servicing
        time = (Get-Date).ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ')
    }
}
