"""The parent process: plan, schedule, launch, journal."""
