# Give Windows Update a new cache: its folder is renamed, not deleted, and made again by the service that owns it. The signature
# catalogs (catroot2) only where that is asked for: their service serves others, too, and they are seldom what is wrong.
# https://learn.microsoft.com/troubleshoot/windows-client/installing-updates-features-roles/additional-resources-for-windows-update
Invoke-PatchFleetScript -Name 'reset_update_cache' -Work {
    param($Parameters)
    $services = @('wuauserv', 'bits')
    # These wake Windows Update, where there are any (Windows Server 2016 and later). Whether they hold the folder, its renaming shows.
    $helpers = @('UsoSvc', 'DoSvc' | Where-Object { Get-Service -Name $_ -ErrorAction SilentlyContinue })
    $folders = @("$env:SystemRoot\SoftwareDistribution")
    if ($Parameters.catroot2) {
        $services += 'cryptsvc'
        $folders += "$env:SystemRoot\System32\catroot2"
    }
    # As they were, and with them those that go down because they depend on them: Windows starts stopped ones when it needs them.
    $running = @(foreach ($name in $services + $helpers) {
        $service = Get-Service -Name $name
        if ([string] $service.Status -eq 'Running') { $name }
        foreach ($one in $service.DependentServices) { if ([string] $one.Status -eq 'Running') { $one.Name } }
    })
    $suffix = '.patchfleet-' + (Get-Date).ToUniversalTime().ToString('yyyyMMddHHmmss')
    $renamed = @()

    function Move-Aside {
        param([string] $Folder)
        # A program that asks Windows Update in between starts its service again, which then holds the folder.
        for ($attempt = 1; ; $attempt++) {
            foreach ($name in $helpers) { try { Stop-PatchFleetService -Name $name -Seconds 30 } catch { continue } }
            foreach ($name in $services) { Stop-PatchFleetService -Name $name }
            try {
                Rename-Item -LiteralPath $Folder -NewName ((Split-Path -Path $Folder -Leaf) + $suffix)
                return
            } catch {
                if ($attempt -ge 5) { throw }
            }
            Start-Sleep -Seconds 3
        }
    }

    try {
        foreach ($folder in $folders) {
            if (Test-Path -LiteralPath $folder) {
                Move-Aside $folder
                $renamed += $folder + $suffix
            }
        }
    } catch {
        $cause = Get-PatchFleetRootCause $_.Exception
        $kept = ''
        if ($renamed) { $kept = ' Renamed already, and kept: ' + ($renamed -join ', ') + '.' }
        throw (New-PatchFleetError 'cache_in_use' ("The folder $folder could not be renamed: " + $cause.Message + $kept) $cause.HResult)
    } finally {
        # What does not start, the next check of Windows Update shows.
        foreach ($name in $running) { try { Start-PatchFleetService -Name $name } catch { continue } }
    }
    return @{ renamed = $renamed }
}
