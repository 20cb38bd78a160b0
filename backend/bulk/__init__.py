"""What `prelabel predict` does: all tasks of a project, or a folder of files without Label Studio."""
