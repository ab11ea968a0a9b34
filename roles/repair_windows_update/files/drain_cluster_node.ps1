# Pause this node of a failover cluster and move its roles to other nodes. It stays paused over a reboot, until resume_cluster_node.
# Whether the roles have moved is in the answer: a drain that fails leaves the node paused with some of them.
# https://learn.microsoft.com/powershell/module/failoverclusters/suspend-clusternode
Invoke-PatchFleetScript -Name 'drain_cluster_node' -Work {
    param($Parameters)
    $name = [string] $Parameters.node
    $end = (Get-Date).AddSeconds([double] $Parameters.seconds)
    $null = Suspend-ClusterNode -Name $name -Drain
    do {
        Start-Sleep -Seconds 5
        $node = Get-ClusterNode -Name $name
        $drain = ([string] $node.DrainStatus).ToLowerInvariant()
    } while ($drain -eq 'inprogress' -and (Get-Date) -lt $end)
    # A role that is offline, or has failed, serves no one; a drain may leave it where it is.
    $left = @(Get-ClusterGroup | Where-Object {
        [string] $_.OwnerNode -eq $name -and 'Cluster', 'AvailableStorage' -notcontains [string] $_.GroupType -and
        'Offline', 'Failed' -notcontains [string] $_.State
    } | ForEach-Object { [string] $_.Name })
    return @{ state = ([string] $node.State).ToLowerInvariant(); drain = $drain; roles = $left }
}
