"""What chapters 1 to 7 measure and decide without training: rules that can fail both ways."""
