# Runs the scripts that come in as lines of JSON ({id, script, language, version}), each in a runspace of its own that has Windows.psm1 in front. A
# script that asks something waits for a line {id, value or hresult …}; meanwhile others run. At its end a script says
# {id, output, errors, failed}, where failed is an error that nothing caught. With {id, stop} nothing is answered any more: whatever it asks fails.
$module = Join-Path $PSScriptRoot 'Windows.psm1'
$waiting = @{}

$drive = {
    param($module, $id, $text, $answers, $language, $version)
    $state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    $state.ImportPSModule($module)
    foreach ($variable in @{ LabScript = $id; LabAnswers = $answers }.GetEnumerator()) {
        $state.Variables.Add([System.Management.Automation.Runspaces.SessionStateVariableEntry]::new($variable.Key, $variable.Value, ''))
    }
    $runspace = [runspacefactory]::CreateRunspace($state)
    $runspace.Open()
    $runspace.SessionStateProxy.LanguageMode = $language
    # All runspaces have one such table. A script reads it before it asks anything, and until then no other one begins.
    $PSVersionTable.PSVersion = [version] $version
    $shell = [powershell]::Create()
    $shell.Runspace = $runspace
    $errors = @()
    $output = @()
    $failed = $false
    try {
        $output = @($shell.AddScript($text).Invoke())
    } catch {
        $failed = $true
        $errors += [string] $_.Exception.InnerException
    }
    $errors += @($shell.Streams.Error | ForEach-Object { [string] $_ })
    $answer = @{ id = $id; output = ($output | Out-String -Width 1000000).TrimEnd(); errors = ($errors -join "`n"); failed = $failed }
    [Console]::Out.WriteLine((ConvertTo-Json -InputObject $answer -Compress))
    $shell.Dispose()
    $runspace.Dispose()
}

while ($null -ne ($line = [Console]::In.ReadLine())) {
    $request = ConvertFrom-Json -InputObject $line -AsHashtable
    $id = [int] $request.id
    if ($request.ContainsKey('script')) {
        $waiting[$id] = [System.Collections.Concurrent.BlockingCollection[string]]::new()
        $driver = [powershell]::Create().AddScript($drive)
        $null = $driver.AddParameters(@{ module = $module; id = $id; text = $request.script; answers = $waiting[$id]
            language = $request.language; version = $request.version }).BeginInvoke()
    } elseif ($request.ContainsKey('stop')) {
        $waiting[$id].CompleteAdding()
        $waiting.Remove($id)
    } else {
        $waiting[$id].Add($line)
    }
}
