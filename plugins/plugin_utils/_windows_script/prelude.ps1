# The common beginning of every script: parameters come in as one base64 JSON document ($PatchFleetInput, set above), exactly
# one JSON document goes out, errors are data, and the exit code is 0 whenever there is an answer (3010 would make the SSM agent
# reboot). Windows PowerShell 5.1, any culture, ASCII output only.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# Run Command cuts an answer at 24,000 characters, and half a JSON document is none. An error's message takes six for each
# character that is not ASCII.
$PatchFleetLongestAnswer = 24000
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
        $message = 'The answer has {0} characters; Run Command returns {1}.' -f $json.Length, $PatchFleetLongestAnswer
        $json = ConvertTo-PatchFleetJson -Name $Name -Failure (New-PatchFleetFailure 'answer_too_long' $message $null)
    }
    Write-Output $json
}

function New-PatchFleetFailure {
    param([string] $Category, [string] $Message, $HResult)
    $code = $null
    if ($null -ne $HResult) { $code = '0x{0:X8}' -f [int] $HResult }
    if ($Message.Length -gt $PatchFleetLongestMessage) { $Message = $Message.Substring(0, $PatchFleetLongestMessage) }
    return @{ category = $Category; hresult = $code; message = $Message }
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
        [System.Threading.Thread]::CurrentThread.CurrentCulture = [System.Globalization.CultureInfo]::InvariantCulture
        $text = [System.Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($PatchFleetInput))
        $data = & $Work (ConvertFrom-Json -InputObject $text)
        Write-PatchFleetAnswer -Name $Name -Data $data
    } catch {
        $cause = Get-PatchFleetRootCause $_.Exception
        $category = 'script_failed'
        $number = $cause.HResult
        if ($_.Exception.Data -and $_.Exception.Data['PatchFleetCategory']) {
            $category = $_.Exception.Data['PatchFleetCategory']
            $number = $_.Exception.Data['PatchFleetHResult']
        }
        Write-PatchFleetAnswer -Name $Name -Failure (New-PatchFleetFailure $category $cause.Message $number)
    }
}
