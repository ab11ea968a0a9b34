# The common beginning of every script, tested by Pester. It runs in a child scope, as the agent runs it: what is printed is the
# answer. PowerShell 7 has no 32-bit process here and no 5.1; those are played.
BeforeAll {
    $root = Split-Path -Parent (Split-Path -Parent (Split-Path -Parent $PSScriptRoot))
    $prelude = Join-Path $root 'plugins/plugin_utils/_windows_script/prelude.ps1'

    function Invoke-Piece {
        param([scriptblock] $Work, $Parameters = @{})
        $before = [System.Threading.Thread]::CurrentThread.CurrentCulture
        # As in Germany; the cultures of others may not be installed where this runs.
        $culture = [System.Globalization.CultureInfo]::InvariantCulture.Clone()
        $culture.NumberFormat.NumberDecimalSeparator = ','
        $culture.NumberFormat.NumberGroupSeparator = '.'
        $culture.DateTimeFormat.DateSeparator = '.'
        $culture.DateTimeFormat.ShortDatePattern = 'dd.MM.yyyy'
        [System.Threading.Thread]::CurrentThread.CurrentCulture = $culture
        try {
            $json = ConvertTo-Json -InputObject $Parameters -Depth 8 -Compress
            $PatchFleetInput = [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($json))
            . $prelude
            $script:printed = @(Invoke-PatchFleetScript -Name 'piece' -Work $Work)
        } finally {
            [System.Threading.Thread]::CurrentThread.CurrentCulture = $before
        }
        $script:printed | Should -HaveCount 1
        return ConvertFrom-Json -InputObject $script:printed[0]
    }
}

Describe 'An answer' {
    It 'is one JSON document under the name of its script' {
        $answer = Invoke-Piece { @{ free_gib = 1.5; list = @(1) } }
        $answer.patchfleet | Should -Be 1
        $answer.script | Should -Be 'piece'
        $answer.ok | Should -BeTrue
        $answer.error | Should -BeNullOrEmpty
        $answer.data.free_gib | Should -Be 1.5
        , $answer.data.list | Should -BeOfType [array]
    }

    It 'is ASCII, whatever is in it' {
        $letters = -join (0x30C6, 0x30B9, 0x30C8, 0xD83D, 0xDE00 | ForEach-Object { [char] $_ })
        $answer = Invoke-Piece { @{ name = $letters } }
        $script:printed[0] | Should -Match '^[\x20-\x7E]+$'
        $answer.data.name | Should -BeExactly $letters
    }

    It 'writes numbers and dates the same under any culture' {
        $null = Invoke-Piece { @{ text = '{0:N1} {1:d}' -f 1234.5, [datetime] '2026-11-14'; number = 1.5 } }
        $script:printed[0] | Should -BeLike '*"1,234.5 11/14/2026"*'
        $script:printed[0] | Should -BeLike '*1.5*'
    }

    It 'never exceeds what Run Command returns' {
        $answer = Invoke-Piece { @{ names = @('x' * 30000) } }
        $script:printed[0].Length | Should -BeLessThan 24000
        $answer.ok | Should -BeFalse
        $answer.error.category | Should -Be 'answer_too_long'
    }

    It 'may be just as long as that' {
        $null = Invoke-Piece { @{ name = '' } }
        $room = 23900 - $script:printed[0].Length
        (Invoke-Piece { @{ name = 'x' * $room } }).ok | Should -BeTrue
        $script:printed[0].Length | Should -Be 23900
    }
}

Describe 'Parameters' {
    It 'come in as they are: <name>' -ForEach @(
        @{ name = 'quotes'; value = "a'b`"c" }
        @{ name = 'an expression'; value = '$(Get-Process); `whoami` | del' }
        @{ name = 'lines'; value = "one`r`ntwo" }
        @{ name = 'another alphabet'; value = [string] [char] 0x0416 }
    ) {
        (Invoke-Piece -Parameters @{ value = $value } -Work { param($Parameters) @{ got = $Parameters.value } }).data.got | Should -BeExactly $value
    }

    It 'that are no document are an error, and no nonsense' {
        $PatchFleetInput = 'not base64!'
        . $prelude
        $answer = Invoke-PatchFleetScript -Name 'piece' -Work { @{ fine = $true } } | ConvertFrom-Json
        $answer.ok | Should -BeFalse
        $answer.error.category | Should -Be 'script_failed'
    }
}

Describe 'An error' {
    It 'that a script raises has its category, HRESULT and message' {
        $answer = Invoke-Piece { throw (New-PatchFleetError 'no_room' 'C: is full.' 0x80070070) }
        $answer.ok | Should -BeFalse
        $answer.data | Should -BeNullOrEmpty
        $answer.error.category | Should -Be 'no_room'
        $answer.error.hresult | Should -Be '0x80070070'
        $answer.error.message | Should -Be 'C: is full.'
    }

    It 'without an HRESULT has none' {
        (Invoke-Piece { throw (New-PatchFleetError 'no_room' 'C: is full.') }).error.hresult | Should -BeNullOrEmpty
    }

    It 'of a command is reported by its root cause' {
        $inner = New-Object System.Runtime.InteropServices.COMException 'No service', -2145107924
        $answer = Invoke-Piece { throw (New-Object System.InvalidOperationException 'Outer', $inner) }
        $answer.error.category | Should -Be 'script_failed'
        $answer.error.hresult | Should -Be '0x8024402C'
        $answer.error.message | Should -Be 'No service'
    }

    It 'of PowerShell itself has the id that is the same in each language, and no number' {
        $answer = Invoke-Piece { Get-Item -LiteralPath '/does/not/exist' }
        $answer.error.hresult | Should -BeNullOrEmpty
        $answer.error.error_id | Should -Be 'PathNotFound'
    }

    It 'of a command that only warns ends the script all the same' {
        (Invoke-Piece { Get-Item -LiteralPath '/does/not/exist'; @{ fine = $true } }).ok | Should -BeFalse
    }

    It 'is cut where its message is endless' {
        $answer = Invoke-Piece { throw (New-PatchFleetError 'odd' ([string] [char] 0x30C6 * 30000)) }
        $answer.error.category | Should -Be 'odd'
        $answer.error.message.Length | Should -Be 1000
    }
}

Describe 'A shell that cannot do it' {
    It 'in Constrained Language Mode is reported as that, in JSON' {
        $shell = [powershell]::Create()
        $text = Get-Content -Raw -LiteralPath $prelude
        $shell.Runspace.SessionStateProxy.LanguageMode = 'ConstrainedLanguage'
        # Assignments as the prelude's first ones are allowed there; what calls .NET is not.
        $null = $shell.AddScript("`$PatchFleetInput = 'e30='`n$text`nInvoke-PatchFleetScript -Name 'piece' -Work { @{ fine = 1 } }")
        $answer = ConvertFrom-Json -InputObject ([string] $shell.Invoke()[0])
        $answer.ok | Should -BeFalse
        $answer.error.category | Should -Be 'constrained_language'
        $shell.Dispose()
    }
}
