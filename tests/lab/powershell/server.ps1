# Runs the scripts that come in as lines of JSON, each in a runspace of its own that has Windows.psm1 in front.
$module = Join-Path $PSScriptRoot 'Windows.psm1'
$state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
$state.ImportPSModule($module)
while ($null -ne ($line = [Console]::In.ReadLine())) {
    $request = ConvertFrom-Json -InputObject $line
    $runspace = [runspacefactory]::CreateRunspace($state)
    $runspace.Open()
    $shell = [powershell]::Create()
    $shell.Runspace = $runspace
    $errors = @()
    $output = @()
    try {
        $output = @($shell.AddScript($request.script).Invoke())
    } catch {
        $errors += [string] $_.Exception.InnerException
    }
    $errors += @($shell.Streams.Error | ForEach-Object { [string] $_ })
    $answer = @{ output = ($output | Out-String -Width 1000000).TrimEnd(); errors = ($errors -join "`n") }
    [Console]::Out.WriteLine((ConvertTo-Json -InputObject $answer -Compress))
    $shell.Dispose()
    $runspace.Dispose()
}
