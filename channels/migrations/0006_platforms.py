

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0006_cards_guards'),
        ('channels', '0005_subscriptions'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Audience',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(max_length=40)),
                ('on', models.DateField()),
                ('count', models.PositiveIntegerField()),
                ('source', models.CharField(choices=[('asked', 'asked for'), ('typed', 'typed in'), ('counted', 'counted here')], max_length=7)),
            ],
            options={
                'verbose_name': 'audience',
                'verbose_name_plural': 'audiences',
                'ordering': ['on'],
            },
        ),
        migrations.CreateModel(
            name='Pause',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(max_length=40)),
                ('since', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'pause',
                'verbose_name_plural': 'pauses',
            },
        ),
        migrations.CreateModel(
            name='Reached',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('way', models.CharField(max_length=40)),
                ('district', models.CharField(blank=True, max_length=40)),
                ('count', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Retraction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('waiting', 'waits'), ('sending', 'running'), ('done', 'done'), ('failed', 'failed'), ('unclear', 'unclear'), ('by-hand', 'by hand'), ('superseded', 'superseded'), ('left-out', 'left out')], default='waiting', max_length=10)),
                ('due_at', models.DateTimeField()),
                ('rung_at', models.DateTimeField(null=True)),
                ('lease', models.CharField(blank=True, max_length=32)),
                ('lease_until', models.DateTimeField(null=True)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('words', models.TextField(blank=True)),
                ('reason', models.TextField()),
            ],
            options={
                'verbose_name': 'retraction',
                'verbose_name_plural': 'retractions',
            },
        ),
        migrations.RemoveConstraint(
            model_name='delivery',
            name='delivery_state_is_known',
        ),
        migrations.AddField(
            model_name='delivery',
            name='begun',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='delivery',
            name='unsure',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='post',
            name='retracted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='attempt',
            name='result',
            field=models.CharField(choices=[('accepted', 'accepted'), ('temporary', 'will be tried again'), ('permanent', 'refused for good'), ('uncertain', 'unclear'), ('by-hand', 'by hand'), ('lost', 'worker lost')], max_length=10),
        ),
        migrations.AlterField(
            model_name='batch',
            name='state',
            field=models.CharField(choices=[('waiting', 'waits'), ('sending', 'running'), ('done', 'done'), ('failed', 'failed'), ('unclear', 'unclear'), ('by-hand', 'by hand'), ('superseded', 'superseded'), ('left-out', 'left out')], default='waiting', max_length=10),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='state',
            field=models.CharField(choices=[('waiting', 'waits'), ('sending', 'running'), ('done', 'done'), ('failed', 'failed'), ('unclear', 'unclear'), ('by-hand', 'by hand'), ('superseded', 'superseded'), ('left-out', 'left out')], default='waiting', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'sending', 'done', 'failed', 'unclear', 'by-hand', 'superseded', 'left-out'])), name='delivery_state_is_known'),
        ),
        migrations.AddField(
            model_name='audience',
            name='by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='pause',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='pause',
            name='ended_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reached',
            name='message',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reached', to='alerts.message'),
        ),
        migrations.AddField(
            model_name='retraction',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='retraction',
            name='post',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='retraction', to='channels.post'),
        ),
        migrations.AddConstraint(
            model_name='audience',
            constraint=models.UniqueConstraint(fields=('channel', 'on'), name='one_audience_a_day'),
        ),
        migrations.AddConstraint(
            model_name='pause',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('channel',), name='one_open_pause_per_channel'),
        ),
        migrations.AddConstraint(
            model_name='reached',
            constraint=models.UniqueConstraint(fields=('message', 'way', 'district'), name='one_count_each'),
        ),
        migrations.AddIndex(
            model_name='retraction',
            index=models.Index(condition=models.Q(('state__in', ['waiting', 'sending'])), fields=['due_at'], name='retraction_owed'),
        ),
    ]
