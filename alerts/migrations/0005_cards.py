

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0004_approved'),
    ]

    operations = [
        migrations.CreateModel(
            name='Card',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('round', models.PositiveIntegerField()),
                ('language', models.CharField(max_length=20)),
                ('shape', models.CharField(max_length=20)),
                ('mime', models.CharField(max_length=20)),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('sha256', models.CharField(db_index=True, max_length=64)),
                ('alt', models.TextField()),
                ('body', models.BinaryField()),
                ('draft', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cards', to='alerts.draft')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('draft', 'round', 'language', 'shape'), name='one_card_each')],
            },
        ),
    ]
