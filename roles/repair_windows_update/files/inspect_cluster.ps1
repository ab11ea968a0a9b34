# What a failover cluster has to do with this host: the node and its state, the other nodes, and the roles that it owns. cluster is
# null on a host that is no node: the service is missing, or disabled, as the feature leaves it until the host joins a cluster.
# https://learn.microsoft.com/powershell/module/failoverclusters/get-clusternode
Invoke-PatchFleetScript -Name 'inspect_cluster' -Work {
    $service = Get-Service -Name 'ClusSvc' -ErrorAction SilentlyContinue
    if (-not $service -or (Get-PatchFleetService 'ClusSvc').start_type -eq 'disabled') { return @{ cluster = $null } }
    if (-not (Get-Command -Name 'Get-ClusterNode' -ErrorAction SilentlyContinue)) {
        $message = 'It is a node of a failover cluster, and the commands for clusters are missing: install RSAT-Clustering-PowerShell.'
        throw (New-PatchFleetError 'no_cluster_commands' $message)
    }
    $name = [string] (Get-CimInstance -ClassName 'Win32_ComputerSystem').Name
    $found = @{ name = $null; id = $null; node = $name; state = 'down'; nodes = @(); roles = @() }
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
    return @{ cluster = $found }
}
