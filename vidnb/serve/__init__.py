"""What other programs call: the receiver of webhooks."""
