# What the files use, as JSON for a test: errors of the parser, syntax that Windows PowerShell 5.1 does not have, and every
# command with its parameters. Each line of stdin is the path of a file.
$newer = 'TernaryExpressionAst', 'PipelineChainAst'
$newerTokens = 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'AndAnd', 'OrOr', 'Clean'
foreach ($path in $input) {
    $tokens = $null
    $errors = $null
    $ast = [System.Management.Automation.Language.Parser]::ParseFile($path, [ref] $tokens, [ref] $errors)
    $all = $ast.FindAll({ $true }, $true)
    $functions = @($all | Where-Object { $_ -is [System.Management.Automation.Language.FunctionDefinitionAst] } | ForEach-Object Name)
    $syntax = @($all | Where-Object { $newer -contains $_.GetType().Name } | ForEach-Object { $_.Extent.Text })
    $syntax += @($tokens | Where-Object { $newerTokens -contains [string] $_.Kind } | ForEach-Object Text)
    $commands = @($all | Where-Object { $_ -is [System.Management.Automation.Language.CommandAst] } | ForEach-Object {
        @{
            name = $_.GetCommandName()
            line = $_.Extent.StartLineNumber
            parameters = @($_.CommandElements |
                Where-Object { $_ -is [System.Management.Automation.Language.CommandParameterAst] } | ForEach-Object ParameterName)
        }
    })
    ConvertTo-Json -Compress -Depth 5 @{
        path = $path; errors = @($errors | ForEach-Object Message); syntax = $syntax; functions = $functions; commands = $commands
    }
}
