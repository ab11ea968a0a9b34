# Windows' own commands, played on the lab's model of a host: each asks the model and gives its answer the form that Windows gives
# it. Only what the scripts use is here; everything else is no command in this PowerShell either, and fails.
$env:SystemDrive = 'C:'
$env:SystemRoot = 'C:\Windows'
$env:ProgramData = 'C:\ProgramData'

# $LabScript is the number of this script and $LabAnswers the queue of what it is answered; both are set by server.ps1.
function Invoke-Model {
    param([string] $Operation, [hashtable] $With = @{})
    $asked = @{ id = $LabScript; ask = $Operation; with = $With }
    [Console]::Out.WriteLine((ConvertTo-Json -InputObject $asked -Compress -Depth 5))
    $answer = ConvertFrom-Json -InputObject $LabAnswers.Take() -DateKind String
    if ($answer.PSObject.Properties['value']) { return $answer.value }
    $number = [BitConverter]::ToInt32([BitConverter]::GetBytes([Convert]::ToUInt32($answer.hresult, 16)), 0)
    $exception = [System.Runtime.InteropServices.COMException]::new($answer.message, $number)
    throw [System.Management.Automation.ErrorRecord]::new($exception, $answer.error_id, 'NotSpecified', $null)
}

function ConvertTo-Moment {
    param($Text)
    if ($null -eq $Text) { return $null }
    return [datetime]::Parse($Text, [cultureinfo]::InvariantCulture, [System.Globalization.DateTimeStyles]::RoundtripKind).ToLocalTime()
}

function Get-Date {
    return ConvertTo-Moment (Invoke-Model 'now')
}

function Set-Date {
    param([timespan] $Adjust)
    return ConvertTo-Moment (Invoke-Model 'shift_clock' @{ seconds = $Adjust.TotalSeconds })
}

function Start-Sleep {
    param([double] $Seconds)
    $null = Invoke-Model 'sleep' @{ seconds = $Seconds }
}

# ---- services

function Get-Service {
    [CmdletBinding()]
    param([string] $Name)
    try { $facts = Invoke-Model 'get_service' @{ name = $Name } } catch {
        if ($ErrorActionPreference -eq 'SilentlyContinue') { return }
        $PSCmdlet.ThrowTerminatingError($_)
    }
    $service = New-ModelObject @{
        Start = { $null = Invoke-Model 'start_service' @{ name = $this.Name } }
        Stop = { $null = Invoke-Model 'ask_to_stop' @{ name = $this.Name } }
        WaitForStatus = {
            param($status, $timeout)
            $null = Invoke-Model 'wait_for_status' @{ name = $this.Name; status = [string] $status; seconds = $timeout.TotalSeconds }
        }
    }
    $service | Add-Member -NotePropertyMembers @{ Name = $facts.Name; Status = $facts.Status; DependentServices = @() }
    return $service
}

function Start-Service {
    [CmdletBinding()]
    param([string] $Name)
    try {
        $null = Invoke-Model 'start_service' @{ name = $Name }
        $null = Invoke-Model 'wait_for_status' @{ name = $Name; status = 'Running'; seconds = 1e9 }
    } catch {
        if ($ErrorActionPreference -ne 'SilentlyContinue') { $PSCmdlet.ThrowTerminatingError($_) }
    }
}

function Stop-Service {
    param([string] $Name, [switch] $Force)
    $null = Invoke-Model 'ask_to_stop' @{ name = $Name }
    $null = Invoke-Model 'wait_for_status' @{ name = $Name; status = 'Stopped'; seconds = 1e9 }
}

function Set-Service {
    param([string] $Name, [string] $StartupType)
    $null = Invoke-Model 'set_service' @{ name = $Name; start_type = $StartupType.ToLowerInvariant() }
}

# ---- registry and files: every path of these scripts is one of Windows'

function Test-Path {
    param([string] $LiteralPath)
    return [bool] (Invoke-Model 'test_path' @{ path = $LiteralPath })
}

function New-Item {
    param([string] $Path)
    $null = Invoke-Model 'make_key' @{ path = $Path }
}

function Get-ItemProperty {
    param([string] $LiteralPath, [string] $Name)
    return [pscustomobject] (Invoke-Model 'registry_values' @{ path = $LiteralPath; name = $Name })
}

function ConvertTo-File {
    param($Facts)
    $written = ConvertTo-Moment $Facts.written
    $attributes = [System.IO.FileAttributes]::Archive
    if ($Facts.folder) { $attributes = [System.IO.FileAttributes]::Directory }
    return [pscustomobject] @{
        FullName = $Facts.path
        Name = $Facts.path.Substring($Facts.path.LastIndexOf('\') + 1)
        PSIsContainer = [bool] $Facts.folder
        Attributes = $attributes
        LastWriteTime = $written
        LastWriteTimeUtc = $written.ToUniversalTime()
        CreationTime = ConvertTo-Moment $Facts.created
    }
}

function Get-Item {
    [CmdletBinding()]
    param([string] $LiteralPath, [switch] $Force)
    $facts = Invoke-Model 'get_item' @{ path = $LiteralPath }
    if ($facts) { return ConvertTo-File $facts }
    if ($ErrorActionPreference -ne 'SilentlyContinue') { throw "There is no $LiteralPath." }
}

function Get-ChildItem {
    [CmdletBinding()]
    param([string] $LiteralPath, [string] $Path, [switch] $Directory, [switch] $File, [switch] $Recurse, [switch] $Force)
    $asked = @{ path = $LiteralPath; pattern = $Path; recurse = [bool] $Recurse }
    foreach ($facts in @(Invoke-Model 'list_folder' $asked)) {
        if (-not $facts -or ($Directory -and -not $facts.folder) -or ($File -and $facts.folder)) { continue }
        ConvertTo-File $facts
    }
}

function Remove-Item {
    [CmdletBinding()]
    param(
        [Parameter(ValueFromPipelineByPropertyName)] [Alias('FullName')] [string] $LiteralPath,
        [switch] $Recurse,
        [switch] $Force
    )
    process { $null = Invoke-Model 'remove' @{ path = $LiteralPath } }
}

function Rename-Item {
    param([string] $LiteralPath, [string] $NewName)
    $null = Invoke-Model 'rename' @{ path = $LiteralPath; name = $NewName }
}

function Split-Path {
    param([string] $Path, [switch] $Leaf)
    return $Path.Substring($Path.LastIndexOf('\') + 1)
}

function Join-Path {
    param([string] $Path, [string] $ChildPath)
    return $Path.TrimEnd('\') + '\' + $ChildPath
}

# ---- what runs, and what has run

function Get-Process {
    [CmdletBinding()]
    param([string[]] $Name)
    foreach ($process in @(Invoke-Model 'processes' @{ names = $Name })) {
        if ($process) { [pscustomobject] @{ ProcessName = $process; CPU = 0.0 } }
    }
}

# A program that is started goes on by itself, and what started it may wait for its end.
function Start-Process {
    param([string] $FilePath, [string[]] $ArgumentList, [string] $WindowStyle, [switch] $PassThru, [switch] $Wait)
    $number = [int] (Invoke-Model 'start_program' @{ path = $FilePath; arguments = $ArgumentList })
    $process = New-ModelObject @{
        WaitForExit = {
            param($milliseconds)
            return [bool] (Invoke-Model 'wait_for_exit' @{ number = $this.Id; seconds = $milliseconds / 1000 })
        }
    } @{
        ExitCode = { return Invoke-Model 'exit_code' @{ number = $this.Id } }
        HasExited = { return $null -ne (Invoke-Model 'exit_code' @{ number = $this.Id }) }
    }
    $process | Add-Member -NotePropertyMembers @{ Id = $number; Handle = [IntPtr]::Zero }
    if ($Wait) { $null = Invoke-Model 'wait_for_exit' @{ number = $number; seconds = 1e9 } }
    if ($PassThru) { return $process }
}

function Get-CimInstance {
    param([string] $Namespace, [string] $ClassName, [string] $Filter)
    foreach ($row in @(Invoke-Model 'cim' @{ class = $ClassName; filter = $Filter })) {
        if (-not $row) { continue }
        if ($row.PSObject.Properties['LastBootUpTime']) { $row.LastBootUpTime = ConvertTo-Moment $row.LastBootUpTime }
        $row
    }
}

function Invoke-CimMethod {
    param($InputObject, [string] $MethodName)
    return Invoke-Model 'cim_method' @{ process = $InputObject.ProcessId; method = $MethodName }
}

function Get-WinEvent {
    [CmdletBinding()]
    param([hashtable] $FilterHashtable, [long] $MaxEvents)
    if ($FilterHashtable.Level) {
        foreach ($source in @(Invoke-Model 'error_events' @{ log = $FilterHashtable.LogName })) {
            [pscustomobject] @{ ProviderName = $source }
        }
        return
    }
    $since = $FilterHashtable.StartTime.ToUniversalTime().ToString('o')
    foreach ($at in @(Invoke-Model 'boot_events' @{ provider = $FilterHashtable.ProviderName; id = $FilterHashtable.Id; since = $since })) {
        [pscustomobject] @{ TimeCreated = ConvertTo-Moment $at }
    }
}

# ---- what the host is there for

function Get-NetTCPConnection {
    param([string] $State)
    foreach ($port in @(Invoke-Model 'listening')) { [pscustomobject] @{ LocalAddress = '0.0.0.0'; LocalPort = [int] $port } }
}

function Invoke-WebRequest {
    [CmdletBinding()]
    param([string] $Uri, [switch] $UseBasicParsing, [int] $TimeoutSec, [int] $MaximumRedirection)
    $page = Invoke-Model 'web_page' @{ url = $Uri }
    if ($page.status -lt 400) { return [pscustomobject] @{ StatusCode = [int] $page.status; Content = $page.text } }
    $stream = [System.IO.MemoryStream]::new([System.Text.Encoding]::UTF8.GetBytes($page.text))
    $response = New-ModelObject @{ GetResponseStream = { return , $this.Stream } }
    $response | Add-Member -NotePropertyMembers @{ StatusCode = [int] $page.status; Stream = $stream }
    $exception = [System.InvalidOperationException]::new('The remote server returned an error.')
    $exception | Add-Member -NotePropertyMembers @{ Response = $response }
    throw [System.Management.Automation.ErrorRecord]::new($exception, 'WebCmdletWebResponseException', 'InvalidOperation', $null)
}

function Get-ScheduledTask {
    foreach ($task in @(Invoke-Model 'scheduled_tasks')) {
        if ($task) { [pscustomobject] @{ TaskPath = $task.folder; TaskName = $task.name; State = $task.state } }
    }
}

function Add-Type {
    param([string] $Path)
    if ($Path -ne 'C:\Windows\System32\inetsrv\Microsoft.Web.Administration.dll') { throw "There is no assembly $Path here." }
}

function New-TcpClient {
    return New-ModelObject @{
        ConnectAsync = {
            param($address, $port)
            $task = New-ModelObject @{
                Wait = {
                    param($milliseconds)
                    $null = Invoke-Model 'connect' @{ address = $this.Address; port = $this.Port }
                    return $true
                }
            }
            $task | Add-Member -NotePropertyMembers @{ Address = $address; Port = $port }
            return $task
        }
        Close = { }
    }
}

function New-SqlConnection {
    $connection = New-ModelObject @{
        Open = { $null = Invoke-Model 'online_databases' @{ connection = $this.ConnectionString } }
        Close = { }
        CreateCommand = {
            $command = New-ModelObject @{
                ExecuteReader = {
                    if ($this.CommandText -like '*dm_hadr*') {
                        $this.Rows = @(Invoke-Model 'unhealthy_groups' @{ connection = $this.Server })
                    } else {
                        $this.Rows = @(Invoke-Model 'online_databases' @{ connection = $this.Server })
                    }
                    $reader = New-ModelObject @{
                        Read = { $this.At++; return $this.At -lt $this.Rows.Count }
                        GetString = { param($column) return $this.Rows[$this.At] }
                    }
                    $reader | Add-Member -NotePropertyMembers @{ At = -1; Rows = $this.Rows }
                    return $reader
                }
            }
            $command | Add-Member -NotePropertyMembers @{ CommandText = ''; Rows = @(); Server = $this.ConnectionString }
            return $command
        }
    }
    $connection | Add-Member -NotePropertyMembers @{ ConnectionString = '' }
    return $connection
}

# ---- failover clusters

function Get-Cluster { return Invoke-Model 'cluster' }

function Get-ClusterNode {
    param([string] $Name)
    foreach ($row in @(Invoke-Model 'cluster_nodes' @{ name = $Name })) { $row }
}

function Get-ClusterGroup { foreach ($row in @(Invoke-Model 'cluster_groups')) { $row } }

function Suspend-ClusterNode {
    param([string] $Name, [switch] $Drain)
    $null = Invoke-Model 'suspend_node' @{ name = $Name }
}

function Resume-ClusterNode {
    param([string] $Name, [string] $Failback)
    $null = Invoke-Model 'resume_node' @{ name = $Name; failback = $Failback }
}

# ---- storage

function Update-HostStorageCache { $null = Invoke-Model 'rescan' }

function Get-Partition {
    param([string] $DriveLetter, [int] $DiskNumber)
    foreach ($row in @(Invoke-Model 'partitions')) { if (-not $DriveLetter -or $row.DriveLetter -eq $DriveLetter) { $row } }
}

function Get-PartitionSupportedSize {
    param([string] $DriveLetter)
    return Invoke-Model 'supported_size'
}

function Resize-Partition {
    param([string] $DriveLetter, [long] $Size)
    $null = Invoke-Model 'resize' @{ size = $Size }
}

function Get-Disk {
    param([int] $Number)
    return Invoke-Model 'disk'
}

function Get-Volume {
    param([string] $DriveLetter)
    return Invoke-Model 'volume'
}

# ---- servicing

function Repair-WindowsImage {
    param([switch] $Online, [switch] $CheckHealth)
    return Invoke-Model 'image_health'
}

# ---- the Windows Update Agent

function New-ModelObject {
    param([hashtable] $Methods, [hashtable] $Properties = @{})
    $made = [pscustomobject] @{}
    foreach ($name in $Methods.Keys) { $made | Add-Member -MemberType ScriptMethod -Name $name -Value $Methods[$name] }
    foreach ($name in $Properties.Keys) { $made | Add-Member -MemberType ScriptProperty -Name $name -Value $Properties[$name] }
    return $made
}

function ConvertTo-Entry {
    param($Facts)
    return [pscustomobject] @{
        Title = $Facts.title
        UpdateIdentity = [pscustomobject] @{ UpdateID = $Facts.id }
        Operation = 1
        ResultCode = $Facts.result
        HResult = [BitConverter]::ToInt32([BitConverter]::GetBytes([Convert]::ToUInt32($Facts.hresult, 16)), 0)
        Date = (ConvertTo-Moment $Facts.at).ToUniversalTime()
    }
}

# Of a download and of an installation: one result for each update, in their order.
function ConvertTo-Outcome {
    param($Codes)
    $codes = @($Codes)
    $outcome = New-ModelObject @{
        GetUpdateResult = {
            param($index)
            $facts = $this.Codes[$index]
            $number = [BitConverter]::ToInt32([BitConverter]::GetBytes([Convert]::ToUInt32($facts.hresult, 16)), 0)
            return [pscustomobject] @{ ResultCode = $facts.result; HResult = $number }
        }
    }
    $outcome | Add-Member -NotePropertyMembers @{ Codes = $codes }
    return $outcome
}

function New-Downloader {
    $made = New-ModelObject @{
        Download = {
            $codes = @(Invoke-Model 'download' @{ kbs = @($this.Updates | ForEach-Object { 'KB' + $_.KBArticleIDs[0] }) })
            foreach ($update in $this.Updates) { $update.IsDownloaded = $true }
            return ConvertTo-Outcome $codes
        }
    }
    $made | Add-Member -NotePropertyMembers @{ Updates = $null }
    return $made
}

function New-Installer {
    $made = New-ModelObject @{
        Install = {
            return ConvertTo-Outcome (Invoke-Model 'install' @{ kbs = @($this.Updates | ForEach-Object { 'KB' + $_.KBArticleIDs[0] }) })
        }
    }
    $made | Add-Member -NotePropertyMembers @{ Updates = $null; ForceQuiet = $false }
    return $made
}

function New-Object {
    param(
        [Parameter(Position = 0)] [string] $TypeName,
        [Parameter(Position = 1)] $ArgumentList,
        [string] $ComObject,
        [hashtable] $Property
    )
    switch ($ComObject) {
        '' {
            switch ($TypeName) {
                'System.Net.Sockets.TcpClient' { return New-TcpClient }
                'System.Data.SqlClient.SqlConnection' { return New-SqlConnection }
                'Microsoft.Web.Administration.ServerManager' { return Invoke-Model 'iis' }
            }
            $given = @{ TypeName = $TypeName }
            if ($null -ne $ArgumentList) { $given.ArgumentList = $ArgumentList }
            if ($null -ne $Property) { $given.Property = $Property }
            return Microsoft.PowerShell.Utility\New-Object @given
        }
        'Microsoft.Update.Installer' {
            $null = Invoke-Model 'ask_installer'
            return New-ModelObject @{} @{ IsBusy = { return [bool] (Invoke-Model 'is_busy') } }
        }
        'Microsoft.Update.UpdateColl' {
            $list = [System.Collections.ArrayList]::new()
            $list | Add-Member -MemberType ScriptMethod -Name 'Item' -Value { param($index) return $this[$index] } -Force
            return , $list
        }
        'Microsoft.Update.Session' {
            return New-ModelObject @{
                CreateUpdateDownloader = { return New-Downloader }
                CreateUpdateInstaller = { return New-Installer }
                CreateUpdateSearcher = {
                    $null = Invoke-Model 'create_searcher'
                    $searcher = New-ModelObject @{
                        GetTotalHistoryCount = { return [int] (Invoke-Model 'history_count') }
                        QueryHistory = {
                            param($start, $count)
                            return @(Invoke-Model 'history' @{ start = $start; count = $count } | ForEach-Object { ConvertTo-Entry $_ })
                        }
                        Search = { param($criteria) return Invoke-Model 'search' @{ criteria = $criteria } }
                    }
                    $searcher | Add-Member -NotePropertyMembers @{ IncludePotentiallySupersededUpdates = $false }
                    return $searcher
                }
            }
        }
        default { throw "There is no COM class $ComObject here." }
    }
}

# ---- programs: `& "$env:SystemRoot\System32\x.exe" arguments`, which may get text at their input

$ExecutionContext.SessionState.InvokeCommand.PreCommandLookupAction = {
    param($name, $lookup)
    if ($name -notlike 'C:\*.exe') { return }
    $path = $name
    $lookup.CommandScriptBlock = {
        $asked = @{ path = $path; arguments = @($args | ForEach-Object { $_ }); lines = @($input | ForEach-Object { [string] $_ }) }
        $global:LASTEXITCODE = [int] (Invoke-Model 'program' $asked)
    }.GetNewClosure()
}

Export-ModuleMember -Function *
