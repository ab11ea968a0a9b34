# Extend the system drive over the free space right behind it.
Invoke-PatchFleetScript -Name 'extend_partition' -Work {
    $letter = $env:SystemDrive.Substring(0, 1)
    Update-HostStorageCache
    $before = Get-Partition -DriveLetter $letter
    $supported = Get-PartitionSupportedSize -DriveLetter $letter
    # Less than a MiB is alignment, not room.
    if ($supported.SizeMax - $before.Size -lt 1MB) {
        $behind = @(Get-Partition -DiskNumber $before.DiskNumber | Where-Object { $_.Offset -gt $before.Offset })
        if ($behind.Count -gt 0) {
            throw (New-PatchFleetError 'recovery_partition' 'Another partition lies right behind C:, so it cannot be extended.')
        }
        throw (New-PatchFleetError 'no_room' 'The disk has no free space behind C:.')
    }
    Resize-Partition -DriveLetter $letter -Size $supported.SizeMax
    $after = Get-Partition -DriveLetter $letter
    $disk = Get-Disk -Number $after.DiskNumber
    return @{
        partition_gib_before = [Math]::Round($before.Size / 1GB, 3)
        partition_gib = [Math]::Round($after.Size / 1GB, 3)
        free_gib = [Math]::Round((Get-Volume -DriveLetter $letter).SizeRemaining / 1GB, 3)
        disk_gib = [Math]::Round($disk.Size / 1GB, 3)
    }
}
