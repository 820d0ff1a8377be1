"""What Segment, RudderStack and Snowplow send, turned into records."""
