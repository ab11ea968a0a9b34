# Show a line of text in all sessions, if there are any. It goes to msg.exe as one argument; the double quotes in it would end
# that in Windows PowerShell 5.1, as would a backslash at its end. A text that begins with @ or / is a file or an option to msg.exe.
Invoke-PatchFleetScript -Name 'send_session_message' -Work {
    param($Parameters)
    $people = @(Get-PatchFleetSession)
    if ($people.Count -eq 0) { return @{ sessions = 0; sent = $false } }
    $tool = "$env:SystemRoot\System32\msg.exe"
    if (-not (Test-Path -LiteralPath $tool)) { throw (New-PatchFleetError 'no_msg' 'This Windows has no msg.exe.') }
    $text = ([string] $Parameters.message).Replace('"', "'")
    if ($text -match '^[@/]') { $text = ' ' + $text }
    if ($text.EndsWith('\')) { $text += ' ' }
    $null = & $tool '*' ('/TIME:' + [int] $Parameters.seconds) $text
    if ($LASTEXITCODE -ne 0) { throw (New-PatchFleetError 'msg_failed' ('msg.exe ended with exit code ' + $LASTEXITCODE + '.')) }
    return @{ sessions = $people.Count; sent = $true }
}
