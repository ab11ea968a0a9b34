# What Windows Update looks like in this host: services, agent, pending reboot, update source, a search, people, installations.
Invoke-PatchFleetScript -Name 'inspect_windows_update' -Work {
    function Get-Answer {
        param([scriptblock] $Question)
        try {
            $null = & $Question
            return @{ ok = $true; hresult = $null; message = $null }
        } catch {
            $cause = Get-PatchFleetRootCause $_.Exception
            return @{ ok = $false; hresult = ('0x{0:X8}' -f [int] $cause.HResult); message = $cause.Message }
        }
    }

    function Get-StartType {
        param([string] $Name)
        $number = (Get-ItemProperty -LiteralPath "HKLM:\SYSTEM\CurrentControlSet\Services\$Name" -Name 'Start').Start
        switch ([int] $number) { 2 { return 'automatic' } 3 { return 'manual' } 4 { return 'disabled' } default { return 'system' } }
    }

    function Get-PendingReboot {
        $sources = @()
        $base = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
        if (Test-Path -LiteralPath "$base\Component Based Servicing\RebootPending") { $sources += 'component_based_servicing' }
        if (Test-Path -LiteralPath "$base\WindowsUpdate\Auto Update\RebootRequired") { $sources += 'windows_update' }
        $session = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager'
        if ($session.PSObject.Properties['PendingFileRenameOperations'] -and $session.PendingFileRenameOperations) {
            $sources += 'file_rename'
        }
        return $sources
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

    function Get-UpdateSource {
        $policy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
        if (Test-Path -LiteralPath "$policy\AU") {
            $au = Get-ItemProperty -LiteralPath "$policy\AU"
            if ($au.PSObject.Properties['UseWUServer'] -and $au.UseWUServer -eq 1) {
                return @{ kind = 'wsus'; url = [string] (Get-ItemProperty -LiteralPath $policy).WUServer; proxy = Get-Proxy }
            }
        }
        return @{ kind = 'microsoft'; url = $null; proxy = Get-Proxy }
    }

    $services = @(foreach ($name in 'wuauserv', 'bits', 'cryptsvc', 'trustedinstaller') {
        $service = Get-Service -Name $name
        @{ name = $name; start_type = (Get-StartType $name); status = ([string] $service.Status).ToLowerInvariant() }
    })
    # A question makes Windows start the service on demand; a service state would say nothing.
    $agent = Get-Answer { (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher().GetTotalHistoryCount() }
    $search = $agent
    if ($agent.ok) {
        $search = Get-Answer {
            (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher().Search('IsInstalled=0 and IsHidden=0')
        }
    }
    $people = @(Get-CimInstance -ClassName 'Win32_Process' -Filter "Name = 'explorer.exe'" | Select-Object -ExpandProperty SessionId -Unique)
    $installing = $false
    if ($agent.ok) {
        try {
            $installing = [bool] (New-Object -ComObject 'Microsoft.Update.Installer').IsBusy
        } catch {
            # Over WinRM the installer is refused to everybody (E_ACCESSDENIED); what works for it is to be seen all the same.
            # https://learn.microsoft.com/windows/win32/wua_sdk/using-wua-from-a-remote-computer
            $installing = [bool] (Get-Process -Name 'TiWorker', 'wusa' -ErrorAction SilentlyContinue)
        }
    }
    return @{
        services = $services
        agent = $agent
        pending_reboot = @(Get-PendingReboot)
        update_source = Get-UpdateSource
        search = $search
        sessions = $people.Count
        installing = $installing
    }
}
