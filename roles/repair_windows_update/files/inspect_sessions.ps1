# How many people are logged on: sessions that somebody has, connected or not, whatever shell they run.
Invoke-PatchFleetScript -Name 'inspect_sessions' -Work {
    return @{ sessions = @(Get-PatchFleetSession).Count }
}
