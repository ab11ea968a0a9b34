# Download and install the updates in kbs, a list such as KB5031001, and nothing else. Windows is not rebooted. The answer has what
# the Update agent says of each; the search that follows decides.
Invoke-PatchFleetScript -Name 'install_updates' -Work {
    param($Parameters)
    $session = New-Object -ComObject 'Microsoft.Update.Session'
    $searcher = $session.CreateUpdateSearcher()
    $searcher.IncludePotentiallySupersededUpdates = $true
    $wanted = New-Object -ComObject 'Microsoft.Update.UpdateColl'
    $names = @()
    foreach ($update in $searcher.Search("IsInstalled=0 and IsHidden=0 and Type='Software'").Updates) {
        $named = @(foreach ($number in $update.KBArticleIDs) { if (@($Parameters.kbs) -contains "KB$number") { "KB$number" } })
        # What would ask a question waits for its answer for ever.
        if ($named.Count -eq 0 -or $update.InstallationBehavior.CanRequestUserInput) { continue }
        if (-not $update.EulaAccepted) { $update.AcceptEula() }
        $null = $wanted.Add($update)
        $names += $named[0]
    }
    if ($wanted.Count -eq 0) { return @{ results = @() } }

    $results = @{ 1 = 'in_progress'; 2 = 'succeeded'; 3 = 'succeeded_with_errors'; 4 = 'failed'; 5 = 'aborted' }
    function Get-Outcome {
        param([string] $Kb, $Result)
        return @{ kb = $Kb; result = $results[[int] $Result.ResultCode]; hresult = '0x{0:X8}' -f [int] $Result.HResult }
    }

    $downloader = $session.CreateUpdateDownloader()
    $downloader.Updates = $wanted
    $downloaded = $downloader.Download()
    $ready = New-Object -ComObject 'Microsoft.Update.UpdateColl'
    $kbs = @()
    $outcomes = @()
    for ($at = 0; $at -lt $names.Count; $at++) {
        $update = $wanted.Item($at)
        if ($update.IsDownloaded) {
            $null = $ready.Add($update)
            $kbs += $names[$at]
        } else {
            $outcomes += Get-Outcome $names[$at] $downloaded.GetUpdateResult($at)
        }
    }
    if ($ready.Count -gt 0) {
        $installer = $session.CreateUpdateInstaller()
        $installer.Updates = $ready
        $installer.ForceQuiet = $true
        $installed = $installer.Install()
        for ($at = 0; $at -lt $kbs.Count; $at++) { $outcomes += Get-Outcome $kbs[$at] $installed.GetUpdateResult($at) }
    }
    return @{ results = @($outcomes) }
}
