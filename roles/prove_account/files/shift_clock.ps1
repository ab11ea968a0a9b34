# Sets the clock of the proof's own instance forward or back, and ends its synchronization until the next boot.
Invoke-PatchFleetScript -Name 'shift_clock' -Work {
    param($Parameters)
    if (Get-Service -Name 'W32Time' -ErrorAction SilentlyContinue) { Stop-PatchFleetService 'W32Time' }
    $null = Set-Date -Adjust ([timespan]::FromSeconds([double] $Parameters.seconds))
    return @{ time = (Get-Date).ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ') }
}
