# How much room the system drive has, and what lies behind it. Changes nothing but Windows' view of the disk (a rescan).
Invoke-PatchFleetScript -Name 'measure_disk' -Work {
    $letter = $env:SystemDrive.Substring(0, 1)
    Update-HostStorageCache
    $partition = Get-Partition -DriveLetter $letter
    $disk = Get-Disk -Number $partition.DiskNumber
    $volume = Get-Volume -DriveLetter $letter
    $gib = 1GB

    # SizeMax tells what the partition could become; behind a recovery partition it stays at the present size.
    $supported = Get-PartitionSupportedSize -DriveLetter $letter
    $extendable = [Math]::Max([double] ($supported.SizeMax - $partition.Size), 0.0)
    $behind = @(Get-Partition -DiskNumber $partition.DiskNumber | Where-Object { $_.Offset -gt $partition.Offset })
    $blocked = $null
    $isRecovery = { $_.GptType -eq '{de94bba4-06d1-4d40-a16a-bfd50179d6ac}' -or $_.MbrType -eq 39 }
    if ($behind.Count -gt 0 -and @($behind | Where-Object $isRecovery).Count -gt 0) { $blocked = 'recovery_partition' }
    elseif ($behind.Count -gt 0 -and $extendable -lt $gib) { $blocked = 'other_partition' }

    return @{
        drive = $env:SystemDrive
        partition_gib = [Math]::Round($partition.Size / $gib, 3)
        free_gib = [Math]::Round($volume.SizeRemaining / $gib, 3)
        disk_gib = [Math]::Round($disk.Size / $gib, 3)
        extendable_gib = [Math]::Round($extendable / $gib, 3)
        blocked_by = $blocked
        partition_style = ([string] $disk.PartitionStyle).ToLowerInvariant()
        serial = ([string] $disk.SerialNumber).Trim()
    }
}
