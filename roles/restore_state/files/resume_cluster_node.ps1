# Let this node of a failover cluster take roles again, after drain_cluster_node. failback asks for the roles that the drain moved. A
# node that is not paused is left as it is; after a boot the cluster service is waited for.
# https://learn.microsoft.com/powershell/module/failoverclusters/resume-clusternode
Invoke-PatchFleetScript -Name 'resume_cluster_node' -Work {
    param($Parameters)
    $name = [string] $Parameters.node
    $failback = 'NoFailback'
    if ($Parameters.failback) { $failback = 'Immediate' }
    $end = (Get-Date).AddSeconds([double] $Parameters.seconds)
    $state = 'unknown'
    $trouble = $null
    while ($true) {
        try {
            $state = ([string] (Get-ClusterNode -Name $name).State).ToLowerInvariant()
            if ($state -eq 'paused') { $null = Resume-ClusterNode -Name $name -Failback $failback }
            if ($state -eq 'up') { break }
            $trouble = $null
        } catch {
            $trouble = (Get-PatchFleetRootCause $_.Exception).Message
        }
        if ((Get-Date) -ge $end) { break }
        Start-Sleep -Seconds 5
    }
    return @{ state = $state; trouble = $trouble }
}
