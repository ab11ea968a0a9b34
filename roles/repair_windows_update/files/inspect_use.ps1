# What runs here that a reboot must not interrupt: processes has those of the named programs that run, and detail is why the user's
# script wants the host skipped: its last value is true, it fails, or it does not end. detail is null where it does not.
Invoke-PatchFleetScript -Name 'inspect_use' -Work {
    param($Parameters)

    # A runspace of its own: what the script sets or defines stays there, and its time has an end.
    function Get-Detail {
        param([string] $Text, [int] $Seconds)
        $shell = [powershell]::Create()
        $null = $shell.AddScript('param($Text) & ([scriptblock]::Create($Text))')
        $null = $shell.AddArgument($Text)
        $running = $shell.BeginInvoke()
        if (-not $running.AsyncWaitHandle.WaitOne($Seconds * 1000)) {
            $null = $shell.BeginStop($null, $null)
            return "The script has not ended within $Seconds s."
        }
        try {
            $output = @($shell.EndInvoke($running))
            $errors = @($shell.Streams.Error)
        } catch {
            return (Get-PatchFleetRootCause $_.Exception).Message
        } finally {
            $shell.Dispose()
        }
        if ($errors.Count -gt 0) { return [string] $errors[0] }
        if ($output.Count -gt 0 -and $output[-1] -is [bool] -and $output[-1]) { return 'The script returned true.' }
    }

    $found = @()
    foreach ($name in @($Parameters.processes)) {
        if (@(Get-Process -Name $name -ErrorAction SilentlyContinue).Count -gt 0) { $found += $name }
    }
    $detail = $null
    if ($Parameters.script) { $detail = Get-Detail -Text ([string] $Parameters.script) -Seconds ([int] $Parameters.seconds) }
    if ($detail -and $detail.Length -gt 300) { $detail = $detail.Substring(0, 300) }
    return @{ processes = @($found); detail = $detail }
}
