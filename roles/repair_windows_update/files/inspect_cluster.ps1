# What a failover cluster has to do with this host: the node and its state, the other nodes, and the roles that it owns. cluster is
# null on a host that is no node: the service is missing, or disabled, as the feature leaves it until the host joins a cluster.
# unhealthy names availability groups of SQL Server that are not synchronized as they should be, as this node knows it.
# https://learn.microsoft.com/powershell/module/failoverclusters/get-clusternode
Invoke-PatchFleetScript -Name 'inspect_cluster' -Work {
    # The node of the primary replica knows all replicas, any other node its own. 2 is HEALTHY. An instance that refuses the question
    # to this account has no answer; SQL Server itself asks for the health of a group with the right that the question needs.
    # https://learn.microsoft.com/sql/relational-databases/system-dynamic-management-views/sys-dm-hadr-availability-replica-states-transact-sql
    function Get-UnhealthyGroup {
        param([string] $Instance)
        $server = '(local)'
        if ($Instance -ne 'MSSQLSERVER') { $server = "(local)\$Instance" }
        $connection = New-Object -TypeName 'System.Data.SqlClient.SqlConnection'
        $connection.ConnectionString = "Server=$server;Integrated Security=true;Connect Timeout=15"
        try {
            $connection.Open()
            $command = $connection.CreateCommand()
            $command.CommandText = 'SELECT DISTINCT g.name FROM sys.availability_groups g ' +
                'JOIN sys.dm_hadr_availability_replica_states s ON s.group_id = g.group_id WHERE s.synchronization_health <> 2'
            $reader = $command.ExecuteReader()
            while ($reader.Read()) { $reader.GetString(0) }
        } catch {
            return
        } finally {
            $connection.Close()
        }
    }

    function Get-SqlInstance {
        $key = 'HKLM:\SOFTWARE\Microsoft\Microsoft SQL Server\Instance Names\SQL'
        if (-not (Test-Path -LiteralPath $key)) { return }
        $names = @((Get-ItemProperty -LiteralPath $key).PSObject.Properties | Where-Object { $_.Name -notlike 'PS*' } |
            ForEach-Object { $_.Name })
        foreach ($name in $names) {
            $service = 'MSSQL$' + $name
            if ($name -eq 'MSSQLSERVER') { $service = $name }
            $state = Get-Service -Name $service -ErrorAction SilentlyContinue
            if ($state -and [string] $state.Status -eq 'Running') { $name }
        }
    }

    $service = Get-Service -Name 'ClusSvc' -ErrorAction SilentlyContinue
    if (-not $service -or (Get-PatchFleetService 'ClusSvc').start_type -eq 'disabled') { return @{ cluster = $null } }
    if (-not (Get-Command -Name 'Get-ClusterNode' -ErrorAction SilentlyContinue)) {
        $message = 'It is a node of a failover cluster, and the commands for clusters are missing: install RSAT-Clustering-PowerShell.'
        throw (New-PatchFleetError 'no_cluster_commands' $message)
    }
    $name = [string] (Get-CimInstance -ClassName 'Win32_ComputerSystem').Name
    $found = @{ name = $null; id = $null; node = $name; state = 'down'; nodes = @(); roles = @(); unhealthy = @() }
    if ([string] $service.Status -ne 'Running') { return @{ cluster = $found } }
    try {
        $cluster = Get-Cluster
        $nodes = @(Get-ClusterNode)
        $groups = @(Get-ClusterGroup)
    } catch {
        return @{ cluster = $found }  # the service has no quorum, or has just started
    }
    $found.name = [string] $cluster.Name
    $found.id = [string] $cluster.Id
    $found.nodes = @($nodes | Where-Object { [string] $_.Name -ne $name } |
        ForEach-Object { @{ name = [string] $_.Name; state = ([string] $_.State).ToLowerInvariant() } })
    $found.state = [string] ($nodes | Where-Object { [string] $_.Name -eq $name } | ForEach-Object { ([string] $_.State).ToLowerInvariant() })
    $found.roles = @($groups | Where-Object {
        [string] $_.OwnerNode -eq $name -and 'Cluster', 'AvailableStorage' -notcontains [string] $_.GroupType
    } | ForEach-Object { [string] $_.Name })
    $found.unhealthy = @(Get-SqlInstance | ForEach-Object { Get-UnhealthyGroup $_ })
    return @{ cluster = $found }
}
