# Makes the proof's own instance wait for a reboot that Patch Manager did not cause, by Windows Update's own mark, or takes that away.
Invoke-PatchFleetScript -Name 'mark_pending' -Work {
    param($Parameters)
    $key = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
    $there = Test-Path -LiteralPath $key
    if ($Parameters.pending -and -not $there) { $null = New-Item -Path $key }
    if (-not $Parameters.pending -and $there) { Remove-Item -LiteralPath $key -Recurse }
    return @{ pending_reboot = @((Get-PatchFleetServicing).pending_reboot) }
}
