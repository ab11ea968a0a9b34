# How much room the system drive has, and what lies behind it. Changes nothing but Windows' view of the disk (a rescan). The free
# free space is always reported; where Windows' storage commands do not answer, as with dynamic disks, the layout is unknown and
# layout_error says why. extendable_gib can be used whatever lies behind it; blocked_by is in the way of what a larger disk brings.
Invoke-PatchFleetScript -Name 'measure_disk' -Work {
    $drive = Get-CimInstance -ClassName 'Win32_LogicalDisk' -Filter "DeviceID = '$env:SystemDrive'"
    $answer = @{
        drive = $env:SystemDrive
        free_gib = [Math]::Round($drive.FreeSpace / 1GB, 3)
        partition_gib = [Math]::Round($drive.Size / 1GB, 3)
        disk_gib = $null
        extendable_gib = 0.0
        blocked_by = 'unknown_layout'
        partition_style = $null
        serial = $null
        layout_error = $null
    }
    try {
        $layout = Get-PatchFleetLayout
        $answer.partition_gib = [Math]::Round($layout.size / 1GB, 3)
        $answer.disk_gib = [Math]::Round($layout.disk_size / 1GB, 3)
        $answer.extendable_gib = [Math]::Round($layout.room / 1GB, 3)
        $answer.blocked_by = $layout.blocked_by
        $answer.partition_style = $layout.style
        $answer.serial = $layout.serial
    } catch {
        $answer.layout_error = ([string] $_.FullyQualifiedErrorId).Split(',')[0]
    }
    return $answer
}
