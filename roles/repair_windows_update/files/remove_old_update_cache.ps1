# Remove what reset_update_cache has put aside, once Windows Update has proven to work again. What cannot be removed is reported.
Invoke-PatchFleetScript -Name 'remove_old_update_cache' -Work {
    $old = @(foreach ($pattern in "$env:SystemRoot\SoftwareDistribution.patchfleet-*", "$env:SystemRoot\System32\catroot2.patchfleet-*") {
        Get-ChildItem -Path $pattern -Directory -ErrorAction SilentlyContinue | Select-Object -ExpandProperty FullName
    })
    $left = @(foreach ($folder in $old) {
        try { Remove-Item -LiteralPath $folder -Recurse -Force } catch { $folder }
    })
    return @{ removed = @($old | Where-Object { $left -notcontains $_ }); left = $left }
}
