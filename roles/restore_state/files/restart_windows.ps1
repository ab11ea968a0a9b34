# Restart Windows in order, or with restart = false only say when it started. The caller compares boot_time to see that Windows has
# restarted. shutdown.exe ends programs and services in order, and lets the servicing stack do its part before and after.
# https://learn.microsoft.com/windows-server/administration/windows-commands/shutdown
Invoke-PatchFleetScript -Name 'restart_windows' -Work {
    param($Parameters)
    $started = (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime
    if ($Parameters.restart) {
        # After some seconds, so that this answer is sent before. p:2:17 is a planned restart for a security fix.
        $null = & "$env:SystemRoot\System32\shutdown.exe" '/r' '/t' '10' '/d' 'p:2:17'
        # 1190: a restart is scheduled already; 1115: Windows is going down.
        if (0, 1190, 1115 -notcontains $LASTEXITCODE) {
            throw (New-PatchFleetError 'restart_failed' ('shutdown.exe ended with exit code ' + $LASTEXITCODE + '.'))
        }
    }
    return @{ boot_time = $started.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ'); restarting = [bool] $Parameters.restart }
}
