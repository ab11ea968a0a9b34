# What Windows' own update history says of installations since a moment (UTC, by the host's own clock), with HRESULTs. Where the
# Update agent is refused to a network logon, the error's category is update_api_refused.
Invoke-PatchFleetScript -Name 'update_history' -Work {
    param($Parameters)
    $since = [datetime]::Parse($Parameters.since, [System.Globalization.CultureInfo]::InvariantCulture).ToUniversalTime()
    $results = @{ 1 = 'in_progress'; 2 = 'succeeded'; 3 = 'succeeded_with_errors'; 4 = 'failed'; 5 = 'aborted' }
    try {
        $searcher = (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher()
        $count = $searcher.GetTotalHistoryCount()
    } catch {
        $cause = Get-PatchFleetRootCause $_.Exception
        if ($cause.HResult -ne -2147024891) { throw }
        throw (New-PatchFleetError 'update_api_refused' $cause.Message $cause.HResult)
    }
    $entries = @()
    if ($count -gt 0) {
        # Titles are left out: they are in Windows' language, and six characters for each that is not ASCII. 70 entries of at most
        # 200 characters keep the answer below the 24,000 that Run Command returns.
        foreach ($entry in $searcher.QueryHistory(0, [Math]::Min($count, 70))) {
            $at = [datetime]::SpecifyKind($entry.Date, [System.DateTimeKind]::Utc)
            if ($at -lt $since -or $entry.Operation -ne 1) { continue }
            $kb = [regex]::Match([string] $entry.Title, 'KB\d{6,8}').Value
            $entries += @{
                kb = $kb
                operation = 'installation'
                result = $results[[int] $entry.ResultCode]
                hresult = '0x{0:X8}' -f [int] $entry.HResult
                at = $at.ToString('yyyy-MM-ddTHH:mm:ssZ')
            }
        }
    }
    return @{ entries = @($entries) }
}
