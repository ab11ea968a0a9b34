# How many users are logged on: sessions of users, connected or not, whatever shell they run.
Invoke-PatchFleetScript -Name 'inspect_sessions' -Work {
    return @{ sessions = @(Get-PatchFleetSession).Count }
}
