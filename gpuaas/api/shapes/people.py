"""What is said to people, and of them: notices, calendar links, the trail."""

from rest_framework import serializers

from gpuaas.api.shapes import Shape


class EventOutput(Shape):
    """One event of the audit trail."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    subject = serializers.CharField()
    actor = serializers.CharField(allow_null=True)
    team = serializers.CharField(allow_null=True)
    data = serializers.DictField()  # type: ignore[assignment]  # a name that Serializer has too


class HeadOutput(Shape):
    """How far the chain over the trail goes, and its digest there."""

    position = serializers.IntegerField()
    digest = serializers.CharField()


class GuestOutput(Shape):
    """Somebody who is let into a workspace besides its owner."""

    person = serializers.CharField()
    name = serializers.CharField()
    invited_at = serializers.DateTimeField()


class FeedOutput(Shape):
    """A calendar link, without its secret address."""

    id = serializers.IntegerField()
    of = serializers.CharField()
    team = serializers.CharField(allow_null=True)
    pool = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewFeedOutput(FeedOutput):
    """A calendar link with its address, this once."""

    url = serializers.CharField()


class NoticeOutput(Shape):
    """What somebody was told."""

    id = serializers.IntegerField()
    event = serializers.CharField()
    subject = serializers.CharField()
    team = serializers.CharField(allow_null=True)
    title = serializers.CharField()
    body = serializers.CharField()
    link = serializers.CharField()
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class MarkedOutput(Shape):
    """How many notices are read now that were not."""

    marked = serializers.IntegerField()


class PreferenceOutput(Shape):
    """Whether one hears of an event over a channel."""

    event = serializers.CharField()
    channel = serializers.CharField()
    is_on = serializers.BooleanField()


class WebhookOutput(Shape):
    """Where notices are posted, and the secret that signs them; null without one."""

    url = serializers.CharField(allow_null=True)
    secret = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
