# What works in this host at this moment: the user's checks, and what runs here. A check is data: a port, an address, the name of a
# service, or the text of a script, which runs in a runspace of its own. checks has a row for each, in the order given; detail says
# what was wrong. evidence has a row for each kind that was asked for; cut is true where not all of its items fit into the answer.
Invoke-PatchFleetScript -Name 'check_host' -Work {
    param($Parameters)

    # ---- checks: each returns what is wrong, or nothing

    # What listens on one address only does not answer on the loopback address.
    function Get-Address {
        param([int] $Port)
        $own = @(Get-NetTCPConnection -State 'Listen' | Where-Object { $_.LocalPort -eq $Port } |
            Select-Object -ExpandProperty LocalAddress | Where-Object { $_ -match '^\d+\.\d+\.\d+\.\d+$' -and $_ -ne '0.0.0.0' })
        return @('127.0.0.1') + @($own | Where-Object { $_ -ne '127.0.0.1' } | Sort-Object -Unique)
    }

    function Test-Address {
        param([string] $Address, [int] $Port, [int] $Seconds)
        $client = New-Object -TypeName 'System.Net.Sockets.TcpClient'
        try {
            if (-not $client.ConnectAsync($Address, $Port).Wait($Seconds * 1000)) { return "No answer within $Seconds s." }
        } catch {
            return (Get-PatchFleetRootCause $_.Exception).Message
        } finally {
            $client.Close()
        }
    }

    function Test-Port {
        param($Check)
        $addresses = @($Check.address)
        if (-not $Check.address) { $addresses = @(Get-Address $Check.port) }
        foreach ($address in $addresses) {
            $wrong = Test-Address -Address $address -Port $Check.port -Seconds $Check.timeout_seconds
            if (-not $wrong) { return }
        }
        return $wrong
    }

    function Get-Body {
        param($Response)
        $reader = New-Object -TypeName 'System.IO.StreamReader' -ArgumentList $Response.GetResponseStream()
        $reader.BaseStream.Position = 0
        return $reader.ReadToEnd()
    }

    # Windows PowerShell ends with an error where the status is none of success, follows redirects, and has no TLS 1.2 by itself.
    function Get-Page {
        param($Check)
        $protocols = [System.Net.ServicePointManager]::SecurityProtocol
        if ([int] $protocols -ne 0) {
            [System.Net.ServicePointManager]::SecurityProtocol = $protocols -bor [System.Net.SecurityProtocolType]::Tls12
        }
        $asked = @{ Uri = $Check.http; UseBasicParsing = $true; TimeoutSec = $Check.timeout_seconds }
        if ($Check.status -ge 300 -and $Check.status -lt 400) { $asked.MaximumRedirection = 0; $asked.ErrorAction = 'SilentlyContinue' }
        try {
            $page = Invoke-WebRequest @asked
            $text = $page.Content
            if ($text -is [byte[]]) { $text = [System.Text.Encoding]::UTF8.GetString($text) }
            return @{ status = [int] $page.StatusCode; text = [string] $text }
        } catch {
            $response = $_.Exception.Response
            if (-not $response) { throw }
            $text = ''
            if ($Check.text) { $text = Get-Body $response }
            return @{ status = [int] $response.StatusCode; text = [string] $text }
        }
    }

    function Test-Page {
        param($Check)
        $page = Get-Page $Check
        if ($page.status -ne $Check.status) { return "The status is $($page.status), not $($Check.status)." }
        if ($Check.text -and -not $page.text.Contains($Check.text)) { return 'The page has not the text.' }
    }

    function Test-Service {
        param($Check)
        $service = Get-Service -Name $Check.service -ErrorAction SilentlyContinue
        if (-not $service) { return 'There is no such service.' }
        $status = [string] $service.Status
        if ($status -ne 'Running') { return "The service is $status." }
    }

    # A runspace of its own: what the script sets or defines stays there, and its time has an end. exit would end it without a word,
    # so that the last line shows that the script has come to its end.
    function Test-Script {
        param($Check)
        $end = 'patchfleet: the end'
        $shell = [powershell]::Create()
        $null = $shell.AddScript('param($Text, $End) & ([scriptblock]::Create($Text)); $End')
        $null = $shell.AddArgument($Check.script).AddArgument($end)
        $running = $shell.BeginInvoke()
        if (-not $running.AsyncWaitHandle.WaitOne($Check.timeout_seconds * 1000)) {
            $null = $shell.BeginStop($null, $null)
            return "The script has not ended within $($Check.timeout_seconds) s."
        }
        $output = @($shell.EndInvoke($running))
        $code = $shell.Runspace.SessionStateProxy.GetVariable('LASTEXITCODE')
        $errors = @($shell.Streams.Error)
        $shell.Dispose()
        if ($errors.Count -gt 0) { return [string] $errors[0] }
        if ($output.Count -eq 0 -or $output[-1] -ne $end) { return 'The script has ended with exit.' }
        if ($code) { return "The exit code of its last program is $code." }
        if ($output.Count -gt 1 -and $output[-2] -is [bool] -and -not $output[-2]) { return 'The script returned false.' }
    }

    function Get-Verdict {
        param($Check)
        try {
            if ($Check.script) { $wrong = Test-Script $Check }
            elseif ($Check.service) { $wrong = Test-Service $Check }
            elseif ($Check.http) { $wrong = Test-Page $Check }
            else { $wrong = Test-Port $Check }
        } catch {
            $wrong = (Get-PatchFleetRootCause $_.Exception).Message
        }
        if (-not $wrong) { return @{ ok = $true; detail = $null } }
        return @{ ok = $false; detail = ConvertTo-Short $wrong }
    }

    # ---- evidence: each returns its items

    # Windows gives ports from 49152 on to whatever asks, others at each boot.
    # https://learn.microsoft.com/troubleshoot/windows-server/networking/service-overview-and-network-port-requirements
    function Get-Port {
        $ports = @(Get-NetTCPConnection -State 'Listen' | Select-Object -ExpandProperty LocalPort | Where-Object { $_ -lt 49152 })
        return @($ports | Sort-Object -Unique | ForEach-Object { [string] $_ })
    }

    function Get-Iis {
        $assembly = "$env:SystemRoot\System32\inetsrv\Microsoft.Web.Administration.dll"
        if (-not (Test-Path -LiteralPath $assembly)) { return }
        Add-Type -Path $assembly
        return New-Object -TypeName 'Microsoft.Web.Administration.ServerManager'
    }

    function Get-Started {
        param($Objects)
        return @($Objects | Where-Object { [string] $_.State -eq 'Started' } | ForEach-Object { [string] $_.Name })
    }

    function Get-Site { $iis = Get-Iis; if ($iis) { return Get-Started $iis.Sites } }
    function Get-Pool { $iis = Get-Iis; if ($iis) { return Get-Started $iis.ApplicationPools } }

    function Get-OnlineDatabase {
        param([string] $Instance)
        $server = '(local)'
        if ($Instance -ne 'MSSQLSERVER') { $server = "(local)\$Instance" }
        $connection = New-Object -TypeName 'System.Data.SqlClient.SqlConnection'
        $connection.ConnectionString = "Server=$server;Integrated Security=true;Connect Timeout=15"
        try {
            $connection.Open()
            $command = $connection.CreateCommand()
            $command.CommandText = "SELECT name FROM sys.databases WHERE state_desc = 'ONLINE'"
            $reader = $command.ExecuteReader()
            while ($reader.Read()) { '{0}/{1}' -f $Instance, $reader.GetString(0) }
        } finally {
            $connection.Close()
        }
    }

    # The instances, from the names of the registry's values; a database is missed where it is not online any more.
    # https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-databases-transact-sql
    function Get-Database {
        $key = 'HKLM:\SOFTWARE\Microsoft\Microsoft SQL Server\Instance Names\SQL'
        if (-not (Test-Path -LiteralPath $key)) { return }
        $names = @((Get-ItemProperty -LiteralPath $key).PSObject.Properties | Where-Object { $_.Name -notlike 'PS*' } |
            ForEach-Object { $_.Name })
        foreach ($name in $names) {
            # An instance that is off has no database that is online.
            $service = 'MSSQL$' + $name
            if ($name -eq 'MSSQLSERVER') { $service = $name }
            $state = Get-Service -Name $service -ErrorAction SilentlyContinue
            if ($state -and [string] $state.Status -eq 'Running') { Get-OnlineDatabase $name }
        }
    }

    # This node, and the roles of the whole cluster: they may run on another node afterwards. A node that a run has drained is paused.
    # https://learn.microsoft.com/powershell/module/failoverclusters/get-clustergroup
    function Get-ClusterItem {
        $service = Get-Service -Name 'ClusSvc' -ErrorAction SilentlyContinue
        if (-not $service -or (Get-PatchFleetService 'ClusSvc').start_type -eq 'disabled') { return }
        $name = [string] (Get-CimInstance -ClassName 'Win32_ComputerSystem').Name
        $own = @(Get-ClusterNode | Where-Object { [string] $_.Name -eq $name -and [string] $_.State -eq 'Up' })
        $roles = @(Get-ClusterGroup | Where-Object { [string] $_.State -eq 'Online' })
        return @($own | ForEach-Object { "node $($_.Name)" }) + @($roles | ForEach-Object { "role $($_.Name)" })
    }

    # Those of Windows itself come and go with its updates.
    function Get-Task {
        return @(Get-ScheduledTask | Where-Object { [string] $_.State -ne 'Disabled' -and $_.TaskPath -notlike '\Microsoft\*' } |
            ForEach-Object { $_.TaskPath + $_.TaskName })
    }

    # Critical errors and errors since the boot: log and source, and how many.
    function Get-ErrorSource {
        $found = @()
        foreach ($log in 'System', 'Application') {
            try {
                $events = @(Get-WinEvent -FilterHashtable @{ LogName = $log; Level = 1, 2; StartTime = $bootTime } -MaxEvents 1000)
            } catch {
                if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
                continue
            }
            $found += @($events | Group-Object -Property 'ProviderName' | ForEach-Object { '{0}/{1}: {2}' -f $log, $_.Name, $_.Count })
        }
        return $found
    }

    function Get-Build {
        $key = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        return '{0}.{1}' -f (Get-PatchFleetRegistryValue $key 'CurrentBuild'), (Get-PatchFleetRegistryValue $key 'UBR')
    }

    # ---- the answer has room for a number of characters, and one that is not ASCII takes six

    function Measure-Json {
        param([string] $Text)
        return $Text.Length + 5 * [regex]::Matches($Text, '[^\x20-\x7E]').Count + [regex]::Matches($Text, '["\\]').Count + 3
    }

    function ConvertTo-Short {
        param([string] $Text)
        $Text = $Text.Trim()
        while ($Text -and (Measure-Json $Text) -gt $longestDetail) { $Text = $Text.Substring(0, [int] [Math]::Floor($Text.Length * 0.8)) }
        return $Text
    }

    # In the order of their code points, so that the same items come first before and after; the rest is cut where they do not fit.
    function Get-Row {
        param([string] $Kind, [int] $Room)
        $row = @{ kind = $Kind; items = @(); cut = $false; trouble = $null }
        try {
            $items = [string[]] @(& $sources[$Kind] | Where-Object { $_ } | Select-Object -Unique)
        } catch {
            $row.trouble = ConvertTo-Short (Get-PatchFleetRootCause $_.Exception).Message
            return $row
        }
        [array]::Sort($items, [System.StringComparer]::Ordinal)
        $count = 0
        foreach ($item in $items) {
            $Room -= Measure-Json $item
            if ($Room -lt 0 -or $count -ge 1000) { $row.cut = $true; break }
            $count++
        }
        if ($count -gt 0) { $row.items = @($items[0..($count - 1)]) }
        return $row
    }

    $bootTime = (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime
    $checks = @($Parameters.checks)
    $longestDetail = [int] [Math]::Floor([Math]::Min(300, 6000 / [Math]::Max($checks.Count, 1)))
    $sources = @{
        ports = { Get-Port }
        sites = { Get-Site }
        app_pools = { Get-Pool }
        databases = { Get-Database }
        cluster = { Get-ClusterItem }
        tasks = { Get-Task }
        events = { Get-ErrorSource }
        build = { Get-Build }
    }
    $verdicts = @($checks | ForEach-Object { Get-Verdict $_ })
    $kinds = @($Parameters.evidence)
    $room = 14000
    $rows = @(for ($number = 0; $number -lt $kinds.Count; $number++) {
        $row = Get-Row -Kind $kinds[$number] -Room ([int] [Math]::Floor($room / ($kinds.Count - $number)))
        foreach ($item in $row.items) { $room -= Measure-Json $item }
        $row
    })
    return @{
        boot_time = $bootTime.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ')
        time = (Get-Date).ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ')
        checks = $verdicts
        evidence = $rows
    }
}
