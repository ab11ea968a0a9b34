# How many people are logged on: sessions with a desktop, connected or not.
Invoke-PatchFleetScript -Name 'inspect_sessions' -Work {
    $people = @(Get-CimInstance -ClassName 'Win32_Process' -Filter "Name = 'explorer.exe'" | Select-Object -ExpandProperty SessionId -Unique)
    return @{ sessions = $people.Count }
}
