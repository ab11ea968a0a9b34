# What the Update agent offers this host, with sizes: software that is not installed, neither previews nor whole new versions
# of Windows. Largest first; 100 of at most 120 characters stay far below the 24,000 that Run Command returns.
Invoke-PatchFleetScript -Name 'missing_update_sizes' -Work {
    # The update classification "Upgrades" (Microsoft, "Classification GUIDs").
    $upgrades = '3689bdc8-b205-4af4-8d4a-a63924c5e9d5'
    $searcher = (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher()
    $found = $searcher.Search("IsInstalled=0 and IsHidden=0 and Type='Software' and BrowseOnly=0").Updates
    $updates = @(foreach ($update in $found) {
        $categories = @(foreach ($category in $update.Categories) { ([string] $category.CategoryID).ToLowerInvariant() })
        if ($categories -contains $upgrades) { continue }
        $kb = $null
        foreach ($number in $update.KBArticleIDs) { $kb = 'KB' + $number; break }
        New-Object -TypeName PSObject -Property @{
            kb = $kb
            max_download_bytes = [long] $update.MaxDownloadSize
            recommended_mib = [long] $update.RecommendedHardDiskSpace
            severity = [string] $update.MsrcSeverity
        }
    })
    $largest = @($updates | Sort-Object -Property 'max_download_bytes' -Descending | Select-Object -First 100)
    return @{ count = $updates.Count; updates = $largest }
}
