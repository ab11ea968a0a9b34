# Give Windows Update a new cache: its folders are renamed, not deleted, and made anew by the services that own them.
# https://learn.microsoft.com/troubleshoot/windows-client/installing-updates-features-roles/additional-resources-for-windows-update
Invoke-PatchFleetScript -Name 'reset_update_cache' -Work {
    $services = 'wuauserv', 'bits', 'cryptsvc'
    $running = @(foreach ($name in $services) { if ([string] (Get-Service -Name $name).Status -eq 'Running') { $name } })
    $suffix = '.patchfleet-' + (Get-Date).ToUniversalTime().ToString('yyyyMMddHHmmss')
    $renamed = @()
    try {
        foreach ($name in $services) { Stop-Service -Name $name -Force }
        foreach ($folder in "$env:SystemRoot\SoftwareDistribution", "$env:SystemRoot\System32\catroot2") {
            if (Test-Path -LiteralPath $folder) {
                Rename-Item -LiteralPath $folder -NewName ((Split-Path -Path $folder -Leaf) + $suffix)
                $renamed += $folder + $suffix
            }
        }
    } finally {
        # As they were: what was off is started by Windows when it is needed.
        foreach ($name in $running) { Start-Service -Name $name -ErrorAction SilentlyContinue }
    }
    return @{ renamed = $renamed }
}
