# Whether Windows installs updates right now: the Update agent's own word and the servicing stack's. installing is null where
# neither can be known; servicing is 1 while the stack waits for a reboot and 2 while it works. processes and cpu_seconds tell of
# progress, not of work: TiWorker stays long after each search.
Invoke-PatchFleetScript -Name 'servicing_state' -Work {
    $servicing = Get-PatchFleetServicing
    $running = @(Get-Process -Name 'TiWorker', 'wusa', 'Dism' -ErrorAction SilentlyContinue)
    $cpu = 0.0
    foreach ($process in $running) { $cpu += [double] $process.CPU }
    $log = Get-Item -LiteralPath "$env:SystemRoot\Logs\CBS\CBS.log" -ErrorAction SilentlyContinue
    $progress = $null
    if ($log) { $progress = $log.LastWriteTimeUtc.ToString('yyyy-MM-ddTHH:mm:ssZ') }
    return @{
        installing = $servicing.installing
        busy = $servicing.busy
        servicing = $servicing.servicing
        processes = @($running | Select-Object -ExpandProperty ProcessName -Unique)
        cpu_seconds = [math]::Round($cpu, 3)
        pending_reboot = @($servicing.pending_reboot)
        last_progress_at = $progress
        time = (Get-Date).ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ')
    }
}
