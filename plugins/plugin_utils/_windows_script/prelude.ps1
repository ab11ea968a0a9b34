# The common beginning of every script: parameters come in as one base64 JSON document ($PatchFleetInput, set above), exactly
# one JSON document goes out, errors are data, and the exit code is 0 whenever there is an answer (3010 would make the SSM agent
# reboot). Windows PowerShell 5.1, any culture, ASCII output only.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# The SSM agent cuts what is not shorter than 24,000 bytes, line ends included, and half a JSON document is none. An error's
# message takes six for each character that is not ASCII.
$PatchFleetLongestAnswer = 23900
$PatchFleetLongestMessage = 1000

function ConvertTo-PatchFleetJson {
    param([string] $Name, $Data, $Failure)
    $answer = @{ patchfleet = 1; script = $Name; ok = ($null -eq $Failure); data = $Data; error = $Failure }
    $json = ConvertTo-Json -InputObject $answer -Depth 8 -Compress
    return [regex]::Replace($json, '[^\x20-\x7E]', { param($match) '\u{0:x4}' -f [int] $match.Value[0] })
}

function Write-PatchFleetAnswer {
    param([string] $Name, $Data, $Failure)
    $json = ConvertTo-PatchFleetJson -Name $Name -Data $Data -Failure $Failure
    if ($json.Length -gt $PatchFleetLongestAnswer) {
        $message = 'The answer has {0} characters; at most {1} come through Run Command.' -f $json.Length, $PatchFleetLongestAnswer
        $json = ConvertTo-PatchFleetJson -Name $Name -Failure (New-PatchFleetFailure 'answer_too_long' $message $null)
    }
    Write-Output $json
}

# An HRESULT as people write it. Those of .NET itself (0x8013....) tell nothing of Windows.
function ConvertTo-PatchFleetHResult {
    param($HResult)
    if ($null -eq $HResult) { return $null }
    $code = '0x{0:X8}' -f [int] $HResult
    if ($code -like '0x8013*') { return $null }
    return $code
}

# error_id names what failed in no language: StorageWMI 4, for one.
function New-PatchFleetFailure {
    param([string] $Category, [string] $Message, $HResult, $ErrorId)
    if ($Message.Length -gt $PatchFleetLongestMessage) { $Message = $Message.Substring(0, $PatchFleetLongestMessage) }
    return @{ category = $Category; hresult = (ConvertTo-PatchFleetHResult $HResult); message = $Message; error_id = $ErrorId }
}

# A script raises its own category with: throw (New-PatchFleetError 'category' 'message'), and an HRESULT where it knows one.
function New-PatchFleetError {
    param([string] $Category, [string] $Message, $HResult)
    $exception = New-Object System.InvalidOperationException $Message
    $exception.Data['PatchFleetCategory'] = $Category
    $exception.Data['PatchFleetHResult'] = $HResult
    return $exception
}

function Get-PatchFleetRootCause {
    param($Exception)
    while ($Exception.InnerException) { $Exception = $Exception.InnerException }
    return $Exception
}

# ---- questions that several scripts ask

function Get-PatchFleetRegistryValue {
    param([string] $Key, [string] $Name)
    if (-not (Test-Path -LiteralPath $Key)) { return $null }
    $values = Get-ItemProperty -LiteralPath $Key
    if ($values.PSObject.Properties[$Name]) { return $values.$Name }
    return $null
}

# What Windows installs right now, and what waits for a reboot. busy is the Update agent's own word, null where it is refused, as
# to each network logon; servicing is the servicing stack's: 1 waits for a reboot, 2 works. installing is null where neither
# can tell. TiWorker is no witness: it stays for minutes, or for ever, after each search.
# https://learn.microsoft.com/windows/win32/wua_sdk/using-wua-from-a-remote-computer
# https://github.com/ansible-collections/ansible.windows/blob/main/plugins/action/win_updates.py
function Get-PatchFleetServicing {
    $base = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
    $busy = $false
    try {
        $busy = [bool] (New-Object -ComObject 'Microsoft.Update.Installer').IsBusy
    } catch {
        # E_ACCESSDENIED; an agent that does not answer for another reason installs nothing.
        if ((Get-PatchFleetRootCause $_.Exception).HResult -eq -2147024891) { $busy = $null }
    }
    $servicing = [int] (Get-PatchFleetRegistryValue "$base\Component Based Servicing\Interface" 'ServicingInProgress')
    $installing = $busy
    if ($servicing -eq 2) { $installing = $true }
    $pending = @()
    if (Test-Path -LiteralPath "$base\Component Based Servicing\RebootPending") { $pending += 'component_based_servicing' }
    if (Test-Path -LiteralPath "$base\WindowsUpdate\Auto Update\RebootRequired") { $pending += 'windows_update' }
    return @{ busy = $busy; servicing = $servicing; installing = $installing; pending_reboot = @($pending) }
}

# The sessions in which people are logged on, connected or not, whatever their shell is: those with a process of an owner who is
# neither the system, nor a service, nor one of the accounts that draw the desktop (DWM, UMFD).
# https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers
function Get-PatchFleetSession {
    $found = @{}
    foreach ($process in @(Get-CimInstance -ClassName 'Win32_Process' -Filter 'SessionId <> 0')) {
        $id = [int] $process.SessionId
        if ($found.ContainsKey($id)) { continue }
        try { $owner = Invoke-CimMethod -InputObject $process -MethodName 'GetOwnerSid' } catch { continue }  # it has ended
        if ($owner.Sid -and [string] $owner.Sid -notmatch '^S-1-5-(18|19|20|90-.*|96-.*)$') { $found[$id] = $true }
    }
    return @($found.Keys | Sort-Object)
}

# A service's start type as the registry has it, and its status, in lower case.
function Get-PatchFleetService {
    param([string] $Name)
    $types = @{ 2 = 'automatic'; 3 = 'manual'; 4 = 'disabled' }
    $number = [int] (Get-PatchFleetRegistryValue "HKLM:\SYSTEM\CurrentControlSet\Services\$Name" 'Start')
    $type = 'system'
    if ($types.ContainsKey($number)) { $type = $types[$number] }
    return @{ start_type = $type; status = ([string] (Get-Service -Name $Name).Status).ToLowerInvariant() }
}

# Stop-Service waits for ever for a service that hangs in StopPending. What depends on the service is stopped with it.
function Stop-PatchFleetService {
    param([string] $Name, [int] $Seconds = 120)
    $service = Get-Service -Name $Name
    if ([string] $service.Status -eq 'Stopped') { return }
    try {
        if ([string] $service.Status -ne 'StopPending') { $service.Stop() }
        $service.WaitForStatus('Stopped', [timespan]::FromSeconds($Seconds))
    } catch {
        $message = 'The service {0} did not stop within {1} s: {2}' -f $Name, $Seconds, (Get-PatchFleetRootCause $_.Exception).Message
        throw (New-PatchFleetError 'service_stuck' $message)
    }
}

# Start-Service waits for ever as well, for a service that hangs in StartPending.
function Start-PatchFleetService {
    param([string] $Name, [int] $Seconds = 120)
    $service = Get-Service -Name $Name
    if ([string] $service.Status -eq 'Running') { return }
    try {
        if ([string] $service.Status -ne 'StartPending') { $service.Start() }
        $service.WaitForStatus('Running', [timespan]::FromSeconds($Seconds))
    } catch {
        $message = 'The service {0} did not start: {1}' -f $Name, (Get-PatchFleetRootCause $_.Exception).Message
        throw (New-PatchFleetError 'service_stuck' $message)
    }
}

# Where the system drive lies on its disk, in bytes; raises what Windows' storage commands raise. Get-PartitionSupportedSize is
# not asked what it could become: it needs the defragmenter, which may be disabled, and analyses the drive each time.
function Get-PatchFleetLayout {
    Update-HostStorageCache
    $partition = Get-Partition -DriveLetter $env:SystemDrive.Substring(0, 1)
    $disk = Get-Disk -Number $partition.DiskNumber
    $behind = @(Get-Partition -DiskNumber $partition.DiskNumber |
        Where-Object { $_.Offset -gt $partition.Offset } | Sort-Object -Property 'Offset')
    $style = ([string] $disk.PartitionStyle).ToLowerInvariant()
    $end = [double] $disk.Size
    # 2^32 sectors of 512 bytes: less than a whole 2 TiB.
    if ($style -eq 'mbr') { $end = [Math]::Min($end, 2047GB) }
    $blocked = $null
    if ($behind.Count -gt 0) {
        $end = [Math]::Min($end, [double] $behind[0].Offset)
        $blocked = 'other_partition'
        if ($behind[0].GptType -eq '{de94bba4-06d1-4d40-a16a-bfd50179d6ac}' -or $behind[0].MbrType -eq 39) { $blocked = 'recovery_partition' }
    }
    # A MiB stays: the second partition table of GPT, and alignment.
    $room = [Math]::Max($end - 1MB - $partition.Offset - $partition.Size, 0.0)
    return @{
        size = [double] $partition.Size
        room = $room
        blocked_by = $blocked
        style = $style
        disk_size = [double] $disk.Size
        serial = ([string] $disk.SerialNumber).Trim()
    }
}

function Invoke-PatchFleetScript {
    param([string] $Name, [scriptblock] $Work)
    if ([string] $ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
        Write-Output ('{"patchfleet": 1, "script": "' + $Name + '", "ok": false, "data": null, "error": {"category": "constrained_language", ' +
            '"hresult": null, "message": "PowerShell runs in Constrained Language Mode here; allow the SSM agent full language."}}')
        return
    }
    try {
        if (-not [Environment]::Is64BitProcess -and [Environment]::Is64BitOperatingSystem) {
            throw (New-PatchFleetError 'wrong_bitness' 'This is a 32-bit PowerShell on a 64-bit Windows.')
        }
        $version = $PSVersionTable.PSVersion
        if ($version.Major -lt 5 -or ($version.Major -eq 5 -and $version.Minor -lt 1)) {
            $message = 'This is PowerShell {0}.{1}; the scripts need 5.1.' -f $version.Major, $version.Minor
            throw (New-PatchFleetError 'powershell_too_old' $message)
        }
        [System.Threading.Thread]::CurrentThread.CurrentCulture = [System.Globalization.CultureInfo]::InvariantCulture
        $text = [System.Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($PatchFleetInput))
        $data = & $Work (ConvertFrom-Json -InputObject $text)
        Write-PatchFleetAnswer -Name $Name -Data $data
    } catch {
        $cause = Get-PatchFleetRootCause $_.Exception
        $category = 'script_failed'
        $number = $cause.HResult
        $id = ([string] $_.FullyQualifiedErrorId).Split(',')[0]
        if ($_.Exception.Data -and $_.Exception.Data['PatchFleetCategory']) {
            $category = $_.Exception.Data['PatchFleetCategory']
            $number = $_.Exception.Data['PatchFleetHResult']
            $id = $null
        }
        Write-PatchFleetAnswer -Name $Name -Failure (New-PatchFleetFailure $category $cause.Message $number $id)
    }
}
