# Extend the system drive over the free space right behind it.
Invoke-PatchFleetScript -Name 'extend_partition' -Work {
    $letter = $env:SystemDrive.Substring(0, 1)
    $before = Get-PatchFleetLayout
    # A few MiB are alignment, not room.
    if ($before.room -lt 10MB) {
        if ($before.blocked_by) {
            throw (New-PatchFleetError $before.blocked_by 'Another partition lies right behind C:, so it cannot be extended.')
        }
        throw (New-PatchFleetError 'no_room' 'The disk has no free space behind C:.')
    }
    $trouble = $null
    try {
        Resize-Partition -DriveLetter $letter -Size ([long] ($before.size + $before.room))
    } catch {
        # The older tool does without the storage service that refused. It takes its commands from its input.
        $trouble = $_
        $diskpart = "$env:SystemRoot\System32\diskpart.exe"
        $null = "select volume $letter", 'extend' | & $diskpart
    }
    $after = Get-PatchFleetLayout
    if ($after.size -le $before.size) {
        if ($trouble) {
            $cause = Get-PatchFleetRootCause $trouble.Exception
            throw (New-PatchFleetError 'not_extended' ('Neither Resize-Partition nor diskpart extended C:. ' + $cause.Message) $cause.HResult)
        }
        throw (New-PatchFleetError 'not_extended' 'Windows said that it extended C:, and it is as small as before.')
    }
    return @{
        partition_gib_before = [Math]::Round($before.size / 1GB, 3)
        partition_gib = [Math]::Round($after.size / 1GB, 3)
        free_gib = [Math]::Round((Get-CimInstance -ClassName 'Win32_LogicalDisk' -Filter "DeviceID = '$env:SystemDrive'").FreeSpace / 1GB, 3)
        disk_gib = [Math]::Round($after.disk_size / 1GB, 3)
    }
}
