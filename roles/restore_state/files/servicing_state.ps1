# Whether Windows installs updates right now: the Update agent's own word, and the servicing stack at work.
Invoke-PatchFleetScript -Name 'servicing_state' -Work {
    $busy = $false
    try {
        $busy = [bool] (New-Object -ComObject 'Microsoft.Update.Installer').IsBusy
    } catch {
        # An agent that does not answer installs nothing; the servicing processes below are asked all the same.
        $busy = $false
    }
    $names = 'TiWorker', 'wusa', 'poqexec'
    $running = @(Get-Process -Name $names -ErrorAction SilentlyContinue)
    $processes = @($running | Select-Object -ExpandProperty ProcessName -Unique)
    $cpu = 0.0
    foreach ($process in $running) { $cpu += [double] $process.CPU }
    $pending = @()
    $base = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
    if (Test-Path -LiteralPath "$base\Component Based Servicing\RebootPending") { $pending += 'component_based_servicing' }
    if (Test-Path -LiteralPath "$base\WindowsUpdate\Auto Update\RebootRequired") { $pending += 'windows_update' }
    $log = Get-Item -LiteralPath "$env:SystemRoot\Logs\CBS\CBS.log" -ErrorAction SilentlyContinue
    $progress = $null
    if ($log) { $progress = $log.LastWriteTimeUtc.ToString('yyyy-MM-ddTHH:mm:ssZ') }
    return @{
        installing = ($busy -or $processes.Count -gt 0)
        processes = $processes
        cpu_seconds = [math]::Round($cpu, 3)
        pending_reboot = $pending
        last_progress_at = $progress
    }
}
