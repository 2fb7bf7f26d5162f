# Completion of hark for PowerShell. Put it into $PROFILE;
# "hark completion powershell" prints it.
Register-ArgumentCompleter -Native -CommandName hark -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    $words += $wordToComplete
    & $commandAst.CommandElements[0].ToString() __complete @words 2>$null | Where-Object { $_ -ne ':files' } | ForEach-Object {
        $word, $about = $_ -split "`t", 2
        if (-not $about) { $about = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
    }
}
