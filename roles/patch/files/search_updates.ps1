# What became of the updates in kbs, a list such as KB5031001: missing (offered and not installed), pending_reboot, installed, or
# superseded by an installed update. An update that is not in the answer is neither offered nor installed. With search = false the
# Update agent is not asked, only Windows' own list of its updates, which each logon may read.
Invoke-PatchFleetScript -Name 'search_updates' -Work {
    param($Parameters)
    $wanted = @($Parameters.kbs)
    $ranks = @{ superseded = 1; installed = 2; pending_reboot = 3; missing = 4 }
    $found = @{}

    # Several updates may have one number, such as those of .NET: what is left to do counts.
    function Add-State {
        param([string] $Kb, [string] $State, $By)
        if ($wanted -notcontains $Kb) { return }
        if ($found.ContainsKey($Kb) -and $ranks[$found[$Kb].state] -ge $ranks[$State]) { return }
        $found[$Kb] = @{ kb = $Kb; state = $State; superseded_by = $By }
    }

    foreach ($row in @(Get-CimInstance -ClassName 'Win32_QuickFixEngineering')) { Add-State ([string] $row.HotFixID) 'installed' }
    if ($false -ne $Parameters.search) {
        try {
            $searcher = (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher()
            # Else the agent leaves out an update that a newer one replaces, although it can be installed.
            $searcher.IncludePotentiallySupersededUpdates = $true
            $updates = $searcher.Search(
                "(IsInstalled=0 and IsHidden=0 and Type='Software') or (IsInstalled=1 and Type='Software')").Updates
        } catch {
            $cause = Get-PatchFleetRootCause $_.Exception
            if ($cause.HResult -ne -2147024891) { throw }
            throw (New-PatchFleetError 'update_api_refused' $cause.Message $cause.HResult)
        }
        $numbers = @{}
        $newer = @()
        foreach ($update in $updates) {
            $state = 'missing'
            if ($update.IsInstalled) { $state = 'installed' }
            if ($update.RebootRequired) { $state = 'pending_reboot' }
            $kb = $null
            foreach ($number in $update.KBArticleIDs) {
                $kb = 'KB' + $number
                Add-State $kb $state
            }
            if (-not $kb) { continue }
            $numbers[[string] $update.Identity.UpdateID] = $kb
            if ($update.IsInstalled) {
                foreach ($id in $update.SupersededUpdateIDs) { $newer += @{ id = [string] $id; by = $kb } }
            }
        }
        # An update that was replaced is offered no more. The history still has its number.
        $count = $searcher.GetTotalHistoryCount()
        if ($count -gt 0) {
            foreach ($entry in $searcher.QueryHistory(0, [Math]::Min($count, 200))) {
                $kb = [regex]::Match([string] $entry.Title, 'KB\d{6,8}').Value
                if ($kb) { $numbers[[string] $entry.UpdateIdentity.UpdateID] = $kb }
            }
        }
        foreach ($pair in $newer) {
            if ($numbers.ContainsKey($pair.id)) { Add-State $numbers[$pair.id] 'superseded' $pair.by }
        }
    }
    return @{ updates = @($found.Values | Sort-Object -Property { $_.kb }) }
}
